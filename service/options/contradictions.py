"""What no variable shows by itself: values that do not go together."""

from __future__ import annotations

from collections.abc import Set as AbstractSet

from service.options.model import PREFIX, Options, Problem


def contradictions(options: Options, unusable: AbstractSet[str]) -> list[Problem]:
    """Returns a problem for each; *unusable* names, without prefix, what is wrong by itself and contradicts nothing."""
    problems = []

    def check(holds: bool, names: str, message: str, remedy: str) -> None:
        """Reports under the first of *names*, unless one of them is wrong by itself."""
        if not holds and unusable.isdisjoint(names.split()):
            problems.append(Problem(PREFIX + names.split(maxsplit=1)[0], message, remedy))

    check(
        (options.tls_cert is None) == (options.tls_key is None),
        "TLS_CERT TLS_KEY",
        "A server certificate and its key go together, and one is missing.",
        "Set both MAILPORT_TLS_CERT and MAILPORT_TLS_KEY.",
    )
    check(
        options.client_ca is None or options.tls_cert is not None,
        "CLIENT_CA TLS_CERT",
        "Client certificates are checked over TLS only.",
        "Set MAILPORT_TLS_CERT and MAILPORT_TLS_KEY too.",
    )
    check(
        (options.client_ca is None) == (options.clients_file is None),
        "CLIENTS_FILE CLIENT_CA",
        "The CA of client certificates and the list of clients go together, and one is missing.",
        "Set both MAILPORT_CLIENT_CA and MAILPORT_CLIENTS_FILE.",
    )
    check(
        len({bool(part) for part in (options.jwks, options.jwt_issuer, options.jwt_audience)}) == 1,
        "JWKS JWT_ISSUER JWT_AUDIENCE",
        "Bearer tokens are checked against keys, issuer and audience, and not all three are set.",
        "Set MAILPORT_JWKS, MAILPORT_JWT_ISSUER and MAILPORT_JWT_AUDIENCE.",
    )
    check(
        not options.data_center or options.data_center in options.data_centers,
        "DATA_CENTER DATA_CENTERS",
        f"The data center {options.data_center!r} is not one of MAILPORT_DATA_CENTERS.",
        "Name all data centers in MAILPORT_DATA_CENTERS, this one included.",
    )
    check(
        options.database_url is None or options.keys_file is not None,
        "KEYS_FILE DATABASE_URL",
        "With a database of your own, the key ring must be named: it is needed to read what is stored.",
        "Make one with `mailport keys create PATH`, keep it safe, and set MAILPORT_KEYS_FILE.",
    )
    check(
        options.content_retention <= options.delivery_retention,
        "CONTENT_RETENTION DELIVERY_RETENTION",
        "Messages would be kept longer than the deliveries that they belong to.",
        "Make it no longer than MAILPORT_DELIVERY_RETENTION, or that one longer.",
    )
    securing = "TLS_CERT CLIENTS_FILE JWKS INSECURE"
    secured = options.tls_cert is not None and options.has_identity
    check(
        options.grpc_address.is_loopback or secured or options.insecure,
        f"GRPC_ADDRESS {securing}",
        f"{options.grpc_address} can be reached from other machines, and callers are neither encrypted nor identified.",
        "Set up TLS and an identity (MAILPORT_TLS_CERT with MAILPORT_CLIENT_CA or MAILPORT_JWKS), listen on 127.0.0.1, "
        "or set MAILPORT_INSECURE=1 where the network itself is trusted.",
    )
    check(
        options.web_address.is_loopback or secured or options.insecure,
        f"WEB_ADDRESS {securing}",
        f"{options.web_address} can be reached from other machines, while callers are neither encrypted nor "
        "identified.",
        "As for MAILPORT_GRPC_ADDRESS; browsers reach the web side through your own TLS proxy.",
    )
    return problems
