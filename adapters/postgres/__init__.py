"""PostgreSQL: the embedded server, migrations, the connection pool and what its errors mean."""
