#!/bin/sh
# Works jobs of the type `checksum`: the SHA-256 of the file that the job names. Needs curl, jq and sha256sum.
# FILES_MANAGER_URL, and FILES_MANAGER_TOKEN or FILES_MANAGER_EMAIL with FILES_MANAGER_PASSWORD, say where and as whom.
# ONCE=1 ends it after one job. SIGTERM ends it; the job at hand is given back, which costs it no attempt.
set -eu

url=${FILES_MANAGER_URL:-http://127.0.0.1:8080}
name=$(uname -n)-$$
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
stopping=
signed_in=0
trap 'stopping=1' TERM INT

sign_in() {
    jq -n '{email: env.FILES_MANAGER_EMAIL, password: env.FILES_MANAGER_PASSWORD}' |
        curl -fsS --connect-timeout 5 --max-time 20 --retry 10 -H 'Content-Type: application/json' --data-binary @- "$url/api/v1/auth/login" | jq -r .accessToken
}

# The credential stands in a file, where no list of processes shows it. A session's is good for 15 minutes.
credential() {
    now=$(date +%s)
    [ $((now - signed_in)) -gt 600 ] || return 0
    token=${FILES_MANAGER_TOKEN:-$(sign_in)}
    printf 'header = "Authorization: Bearer %s"\n' "$token" >"$folder/credential"
    signed_in=$now
}

# post PATH: sends the JSON on standard input, and prints the answer. What may succeed later is tried again: no answer, 429, 502, 503, 504. A network that
# swallows everything counts as no answer after a while that leaves room within the lease; a claim waits for 5 seconds of it.
post() {
    curl -sS --connect-timeout 5 --max-time 9 --retry 10 --retry-connrefused --fail-with-body -K "$folder/credential" \
        -H 'Content-Type: application/json' --data-binary @- "$url/api/v1$1"
}

# report WHAT JSON: what is not taken is somebody else's now, or comes again when the lease has ended.
report() {
    printf '%s' "$2" | jq -c --arg lease "$lease" '. + {lease: $lease}' | post "/jobs/$id/$1" >/dev/null ||
        echo "job $id: $1 was not taken" >&2
}

# As long as the job is worked: the lease is of 30 seconds.
beat() {
    while sleep 10; do report heartbeat '{}'; done
}

# step COMMAND...: does a part of the work that may take long, so that a signal is heard meanwhile. Then it is ended, and has failed.
step() {
    "$@" &
    doing=$!
    while ! wait "$doing"; do
        if [ -n "$stopping" ]; then
            kill "$doing" 2>/dev/null || :
            return 1
        fi
        # a signal ends the waiting, not the step
        kill -0 "$doing" 2>/dev/null || return 1
    done
}

# Reads the content. The address needs no credential: it opens this one content, for an hour.
fetch() { exec curl -fsS --connect-timeout 5 --speed-limit 1 --speed-time 30 --retry 5 -o "$folder/content" "$url$content"; }

sum_up() { exec sha256sum <"$folder/content" >"$folder/sum"; }

work() {
    if [ -z "$content" ]; then
        report fail '{"error": "the job names no file (data.fileId)", "retryable": false}'
        return
    fi
    beat >/dev/null 2>&1 &
    beating=$!
    report log '{"line": "reading the content"}'
    if step fetch && report progress '{"progress": 50}' && step sum_up; then
        read -r sum _ <"$folder/sum"
        report complete "{\"result\": {\"sha256\": \"$sum\"}}"
    elif [ -n "$stopping" ]; then
        report return '{}'
    else
        report fail '{"error": "the content cannot be read"}'
    fi
    kill "$beating"
    rm -f "$folder/content" "$folder/sum"
}

while [ -z "$stopping" ]; do
    credential
    # waits up to 5 seconds for a job: that long it does not hear a signal
    answer=$(jq -n --arg name "$name" '{types: ["checksum"], workerId: $name, waitMs: 5000}' | post /jobs/claim) || {
        # refused, or longer away than was waited for: it is asked again
        sleep 5
        continue
    }
    claim=$(printf '%s' "$answer" | jq -c '.items[0] // empty')
    [ -n "$claim" ] || continue
    id=$(printf '%s' "$claim" | jq -r .job.id)
    lease=$(printf '%s' "$claim" | jq -r .lease)
    content=$(printf '%s' "$claim" | jq -r '.contentUrl // ""')
    if [ -n "$stopping" ]; then
        # it came while we were told to stop
        report return '{}'
        break
    fi
    work
    [ -z "${ONCE:-}" ] || break
done
