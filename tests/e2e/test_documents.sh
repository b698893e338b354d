# The documents: links that lead somewhere, and figures that are those of the shipped models' cards.
. "$(dirname "$0")/lib.sh"

checks=$((checks + 1))
python3 "$REHA_SOURCE/tests/e2e/documents.py" "$REHA_SOURCE" || fail "a document says what is not so"
finish
