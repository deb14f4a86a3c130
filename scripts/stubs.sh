#!/bin/sh
# Generates the Python code of the protos: into proto/, or into the folder given.
# With --check it generates into a temporary folder and fails where proto/ differs, in either direction.
set -eu

cd "$(dirname "$0")/.."
PATH=$PWD/.venv/bin:$PATH  # protoc looks for its plug-ins there

generate() {
    python -m grpc_tools.protoc -I proto \
        --python_out="$1" --grpc_python_out="$1" --mypy_out=quiet:"$1" --mypy_grpc_out=quiet:"$1" \
        proto/mailport/v1/*.proto
}

generated_in() {
    (cd "$1" && find . -name '*_pb2.py' -o -name '*_pb2.pyi' -o -name '*_pb2_grpc.py' -o -name '*_pb2_grpc.pyi' | sort)
}

if [ "${1:-}" != --check ]; then
    generate "${1:-proto}"
    exit 0
fi

fresh=$(mktemp -d)
trap 'rm -rf "$fresh"' EXIT
trap 'exit 1' INT TERM
generate "$fresh"
status=0
for file in $( (generated_in proto; generated_in "$fresh") | sort -u ); do
    cmp -s "proto/$file" "$fresh/$file" || { echo "not what the protos generate: proto/${file#./}" >&2; status=1; }
done
[ "$status" -eq 0 ] || echo "Run 'make proto' and commit what it writes; never edit or merge generated code." >&2
exit "$status"
