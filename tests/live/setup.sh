#!/bin/bash
# Install the real counterparts of `make live`: Request Tracker 5, Roundup, mosquitto and the
# VDA 5050 vehicle program. Run as root on Debian 12. Safe to run again; it does only what is missing.
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
export DEBIAN_FRONTEND=noninteractive

installed() { dpkg-query -W -f='${Status}' "$1" 2>/dev/null | grep -q '^install ok installed$'; }

wanted=()
for package in mosquitto request-tracker5 rt5-standalone rt5-db-sqlite; do
  installed "$package" || wanted+=("$package")
done
command -v node >/dev/null || wanted+=(nodejs)
command -v npm >/dev/null || wanted+=(npm)

if ((${#wanted[@]})); then
  if ((EUID != 0)) || ! command -v apt-get >/dev/null; then
    echo "missing: ${wanted[*]}. Run this script as root on Debian 12, or install them." >&2
    exit 1
  fi
  had_mosquitto=$(installed mosquitto && echo yes || echo no)
  # Debian's package asks these questions; SQLite needs no database server.
  debconf-set-selections <<'ANSWERS'
request-tracker5 request-tracker5/install-cronjobs boolean false
rt5-db-sqlite request-tracker5/dbconfig-install boolean true
request-tracker5 request-tracker5/dbconfig-install boolean true
request-tracker5 request-tracker5/database-type select sqlite3
request-tracker5 request-tracker5/initial-root-password password rootpass1
request-tracker5 request-tracker5/initial-root-password-confirm password rootpass1
ANSWERS
  apt-get update -qq
  apt-get install -y -qq --no-install-recommends "${wanted[@]}"
  # The tests start brokers of their own; one that this script has just brought is not wanted.
  if [[ $had_mosquitto == no && -d /run/systemd/system ]]; then
    systemctl disable --now mosquitto.service
  fi
fi

# npm verifies the tarball of the vehicle program by the integrity in the lock file, which names
# no registry: the one that npm is set up for is used.
vehicle="$here/vehicle"
stamp="$vehicle/node_modules/.installed-from"
lock_sum="$(sha256sum "$vehicle/package.json" "$vehicle/package-lock.json" | sha256sum | cut -d' ' -f1)"
if [[ ! -f "$stamp" || "$(cat "$stamp")" != "$lock_sum" ]]; then
  (cd "$vehicle" && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error)
  echo "$lock_sum" >"$stamp"
fi

# Roundup runs as another user than root, who must be able to read its Python: the system's one.
roundup="$here/roundup"
stamp="$roundup/.venv/.installed-from"
lock_sum="$(sha256sum "$roundup/requirements.txt" | cut -d' ' -f1)"
if [[ ! -f "$stamp" || "$(cat "$stamp")" != "$lock_sum" ]]; then
  python=/usr/bin/python3
  [[ -x $python ]] || python=python3
  "$python" -m venv --clear "$roundup/.venv"
  "$roundup/.venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-input \
    --no-deps --require-hashes -r "$roundup/requirements.txt"
  echo "$lock_sum" >"$stamp"
fi

dpkg-query -W -f='${Package} ${Version}\n' mosquitto request-tracker5
"$roundup/.venv/bin/python" -c 'import roundup; print("roundup", roundup.__version__)'
node -p '"vda-5050-lib " + require(process.argv[1]).version' "$vehicle/node_modules/vda-5050-lib/package.json"
