"""The API ``mailport.v1``: messages in ``*_pb2``, stubs and servicers in ``*_pb2_grpc``; the protos document it."""
