#!/bin/sh
# Writes down whom PgBouncer lets in, and starts it. A quotation mark is doubled in its list.
set -eu
umask 077
password=$(sed 's/"/""/g' "${PASSWORD_FILE:-/run/secrets/postgres_password}")
printf '"terzetto" "%s"\n' "$password" > /tmp/users.txt
exec pgbouncer "${1:-/etc/pgbouncer/pgbouncer.ini}"
