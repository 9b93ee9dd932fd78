#!/usr/bin/env bash
# Runs a study in shards as a Slurm job array, and joins them in a job that follows it.
#
#   launchers/slurm.sh SHARDS OUT COMMAND FILE [ARGUMENT…]
#   launchers/slurm.sh 64 /shared/checkout run scenarios/checkout.toml --seeds 6400
#
# COMMAND is run, sweep or explore. Run it where sbatch is, in a folder that all nodes see; OUT must be one, too.
# HOPLAB names the binary (default: hoplab on the path); SBATCH_ARGS goes to both sbatch commands, for instance
# "--partition=short --cpus-per-task=4"; with SBATCH_WAIT=1 it waits, prints what the merge printed and exits as it
# did. Shards that failed are run again by the same command: what is there is not run twice.
set -euo pipefail

if [ $# -lt 4 ]; then
  sed -n '2,11s/^# \{0,1\}//p' "$0" >&2
  exit 2
fi
shards=$1 out=$2
shift 2
hoplab=$(command -v "${HOPLAB:-hoplab}")
mkdir -p "$out"

# Slurm sets the task's number and, where it was asked for, its processors.
task="$(printf '%q ' "$hoplab" "$@")"
task+=" --threads \${SLURM_CPUS_PER_TASK:-1} --shard \${SLURM_ARRAY_TASK_ID}/$shards"
task+=" --out $(printf '%q' "$out")/shard-\${SLURM_ARRAY_TASK_ID}"

folders=()
for shard in $(seq "$shards"); do folders+=("$out/shard-$shard"); done
merge="$(printf '%q ' "$hoplab" merge "${folders[@]}" --out "$out")"

# shellcheck disable=SC2206 # SBATCH_ARGS is a list.
arguments=(--parsable --chdir "$PWD" ${SBATCH_ARGS:-})
array=$(sbatch "${arguments[@]}" --job-name hoplab --array "1-$shards" --output "$out/shard-%a.log" --wrap "$task")
# Also when shards failed: the merge says which are missing, where a job that never starts would say nothing.
join=(sbatch "${arguments[@]}" --job-name hoplab-merge --dependency "afterany:$array" --output "$out/merge.log")
if [ "${SBATCH_WAIT:-0}" = 1 ]; then
  code=0
  "${join[@]}" --wait --wrap "$merge" >&2 || code=$?
  cat "$out/merge.log"
  exit "$code"
fi
echo "array $array, merge $("${join[@]}" --wrap "$merge"): the report will be in $out"
