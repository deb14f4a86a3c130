# The build stage downloads what the lock lists, by hash, and installs from that alone; the image gets the result.
FROM python:3.13-slim AS build
WORKDIR /src
COPY requirements.lock .
RUN pip download --require-hashes --only-binary :all: --dest /wheels -r requirements.lock
COPY . .
RUN pip install --no-index --find-links /wheels hatchling \
    && pip wheel --no-index --no-deps --no-build-isolation --wheel-dir /wheels . \
    && python -m venv --without-pip /opt/mailport \
    && pip --python /opt/mailport/bin/python install --no-index --find-links /wheels mailport

FROM python:3.13-slim
# postgres looks its user up by name, so the number alone would not do.
RUN useradd --uid 65532 --user-group --no-create-home --home-dir /var/lib/mailport --shell /usr/sbin/nologin mailport \
    && install --directory --owner=mailport --group=mailport --mode=0700 /var/lib/mailport
COPY --from=build /opt/mailport /opt/mailport
ENV PATH=/opt/mailport/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    MAILPORT_DATA_DIR=/var/lib/mailport
USER 65532:65532
VOLUME /var/lib/mailport
EXPOSE 50051 8080
STOPSIGNAL SIGTERM
# Not `mailport check`: with the embedded database that would ask for the data folder that the server holds.
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 CMD ["python", "-c", "\
import os, urllib.request; \
port = os.environ.get('MAILPORT_WEB_ADDRESS', ':8080').rpartition(':')[2]; \
urllib.request.urlopen(f'http://127.0.0.1:{port}/readyz', timeout=4)"]
ENTRYPOINT ["mailport"]
CMD ["serve"]
