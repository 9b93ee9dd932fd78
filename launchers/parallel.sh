#!/usr/bin/env bash
# Runs a study in shards with GNU parallel, on this machine or over ssh, and joins them.
#
#   launchers/parallel.sh SHARDS OUT COMMAND FILE [ARGUMENT…]
#   launchers/parallel.sh 8 target/hoplab/checkout run scenarios/checkout.toml --seeds 200
#
# COMMAND is run, sweep or explore. HOPLAB names the binary (default: hoplab on the path); PARALLEL_ARGS goes to
# GNU parallel, for instance "--sshlogin a,b" where both hosts see this folder under the same path. A shard that was
# interrupted goes on where it stopped when this is run again. Exits as `hoplab merge` does.
set -euo pipefail

if [ $# -lt 4 ]; then
  sed -n '2,10s/^# \{0,1\}//p' "$0" >&2
  exit 2
fi
shards=$1 out=$2
shift 2
hoplab=${HOPLAB:-hoplab}

# One simulation at a time in each shard: the shards are what runs side by side.
# shellcheck disable=SC2086 # PARALLEL_ARGS is a list.
seq "$shards" | parallel --halt now,fail=1 ${PARALLEL_ARGS:-} --workdir "$PWD" \
  "$(printf '%q ' "$hoplab" "$@")" --threads 1 --shard "{}/$shards" --out "$(printf '%q' "$out")/shard-{}" '>&2'

folders=()
for shard in $(seq "$shards"); do folders+=("$out/shard-$shard"); done
exec "$hoplab" merge "${folders[@]}" --out "$out"
