#!/bin/sh
# Checks that the protos on disk still serve the callers of an earlier revision: the one given, or the one
# that the present change began from.
set -eu

cd "$(dirname "$0")/.."

# On a branch the change began where the branch left main. On main itself nothing marks the place, so the commits
# of the last three hours count as one change: a fresh clone answers the same, since only HEAD's own date is asked.
base_of_change() {
    for main in origin/main main; do
        if base=$(git merge-base HEAD "$main" 2>/dev/null) && [ "$base" != "$(git rev-parse HEAD)" ]; then
            echo "$base"
            return
        fi
    done
    git rev-list --max-count=1 --before="$(($(git log -1 --format=%ct) - 3 * 3600))" HEAD
}

if ! git rev-parse --quiet --verify HEAD >/dev/null; then
    echo "breaking: skipped, there is no commit to compare with"
    exit 0
fi
if [ -n "${1:-}" ]; then
    base=$(git rev-parse --verify "$1^{commit}")
else
    base=$(base_of_change)
fi
if [ -z "$base" ]; then
    echo "breaking: skipped, no commit is older than the present change"
    exit 0
fi
if [ -z "$(git ls-tree -r --name-only "$base" -- proto | grep '\.proto$')" ]; then
    echo "breaking: skipped, $(git log -1 --format='%h (%cs)' "$base") has no protos to compare with"
    exit 0
fi

before=$(mktemp -d)
trap 'rm -rf "$before"' EXIT
trap 'exit 1' INT TERM
git archive "$base" -- buf.yaml proto | tar -x -C "$before"
.venv/bin/buf breaking --against "$before"
echo "breaking: nothing that breaks callers of $(git log -1 --format='%h (%cs)' "$base")"
