#!/usr/bin/env bash
# A Slurm cluster of one node on loopback, in a folder of its own, for as long as a command runs:
#   slurm.sh FOLDER COMMAND [ARGUMENT…]
# Needs Debian's slurmctld, slurmd, slurm-client and munge.
set -euo pipefail
folder=$1
shift
host=$(hostname -s)
mkdir -p "$folder"/{state,spool,munge}
chmod 711 "$folder"
dd if=/dev/urandom of="$folder/munge/key" bs=128 count=1 status=none
chmod 711 "$folder/munge"
chmod 400 "$folder/munge/key"

port=$((20000 + $$ % 10000 * 2))
cat >"$folder/slurm.conf" <<CONF
ClusterName=hoplab
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=$port
SlurmdPort=$((port + 1))
SlurmUser=$(id -un)
SlurmdUser=$(id -un)
AuthType=auth/munge
AuthInfo=socket=$folder/munge/socket
CredType=cred/munge
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool
SlurmctldPidFile=$folder/slurmctld.pid
SlurmdPidFile=$folder/slurmd.pid
SlurmctldLogFile=$folder/slurmctld.log
SlurmdLogFile=$folder/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/linear
MpiDefault=none
ReturnToService=2
SchedulerType=sched/builtin
SlurmdParameters=config_overrides
NodeName=$host NodeAddr=127.0.0.1 CPUs=2 State=UNKNOWN
PartitionName=all Nodes=$host Default=YES MaxTime=INFINITE State=UP OverSubscribe=FORCE:4
CONF
if [ -f /sys/fs/cgroup/cgroup.controllers ]; then
  printf 'CgroupPlugin=cgroup/v2\nIgnoreSystemd=yes\n' >"$folder/cgroup.conf"
else
  echo "CgroupPlugin=cgroup/v1" >"$folder/cgroup.conf"
fi
export SLURM_CONF=$folder/slurm.conf

daemons=()
stop() {
  for daemon in "${daemons[@]}"; do kill "$daemon" 2>/dev/null || true; done
  wait 2>/dev/null || true
}
trap stop EXIT

munged --foreground --force --key-file="$folder/munge/key" --socket="$folder/munge/socket" \
  --pid-file="$folder/munge/pid" --log-file="$folder/munge/log" --seed-file="$folder/munge/seed" \
  2>"$folder/munged.err" &
daemons+=($!)
slurmctld -D -f "$SLURM_CONF" 2>"$folder/slurmctld.err" &
daemons+=($!)
slurmd -D -f "$SLURM_CONF" -N "$host" 2>"$folder/slurmd.err" &
daemons+=($!)

for _ in $(seq 200); do
  if [ "$(sinfo --noheader --format=%T 2>/dev/null)" = idle ]; then
    "$@"
    exit
  fi
  sleep 0.1
done
echo "the cluster of one did not start:" >&2
tail -n 5 "$folder"/*.err "$folder"/*.log >&2
exit 1
