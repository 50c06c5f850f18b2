{{- define "natter.validate" -}}
{{- include "natter.validateSources" (dict "where" "" "own" .Values) -}}
{{- include "natter.validateSources" (dict "where" "edge." "own" .Values.edge) -}}
{{- include "natter.validateSources" (dict "where" "migrate." "own" .Values.migrate) -}}
{{- range $name, $own := include "natter.workers" . | fromYaml -}}
{{- include "natter.validateSources" (dict "where" (printf "workers.%s." $name) "own" $own) -}}
{{- end -}}
{{- include "natter.validateRoles" . -}}
{{- include "natter.validateJobs" . -}}
{{- include "natter.validateShape" . -}}
{{- end -}}

{{/* A setting has one source, and a password is not in values, which anyone may read who may read the release. */}}
{{- define "natter.validateSources" -}}
{{- range $name, $value := .own.settings -}}
{{- if hasKey $.own.secretSettings $name -}}
{{- fail (printf "%s is in %ssettings and in %ssecretSettings: leave one of them out" $name $.where $.where) -}}
{{- end -}}
{{- if regexMatch "://[^/@]*@" (toString $value) -}}
{{- fail (printf "%ssettings.%s holds a user or a password: put it into a Secret and name that in %ssecretSettings.%s" $.where $name $.where $name) -}}
{{- end -}}
{{- end -}}
{{- if hasPrefix "sqlite:" (toString (default "" (get .own.settings "DATABASE_URL"))) -}}
{{- fail (printf "%ssettings.DATABASE_URL is SQLite, a file of one machine: pods need a cluster, scylla://host:9042/keyspace" .where) -}}
{{- end -}}
{{- end -}}

{{- define "natter.need" -}}
{{- $all := include "natter.settings" .role | fromYaml -}}
{{- if not (hasKey $all .name) -}}
{{- fail (printf "%s is missing for %s: set it in settings, or in secretSettings if it holds a password" .name .what) -}}
{{- end -}}
{{- end -}}

{{- define "natter.validateRoles" -}}
{{- $edge := dict "root" . "role" "edge" "own" .Values.edge -}}
{{- range $name := list "NATS_URL" "REDIS_URL" -}}
{{- include "natter.need" (dict "role" $edge "name" $name "what" "edges") -}}
{{- end -}}
{{- $all := include "natter.settings" $edge | fromYaml -}}
{{- if not (or $all.JWT_SECRET $all.JWT_SECRET_FILE $all.JWT_SECRETS $all.JWT_SECRETS_FILE $all.JWT_PRIVATE_KEY) -}}
{{- fail "edges need a key for access tokens: name a Secret with 32 bytes or more in secretSettings.JWT_SECRET, for example { secret: natter, key: jwt }" -}}
{{- end -}}
{{- range $worker, $own := include "natter.workers" . | fromYaml -}}
{{- range $name := list "NATS_URL" "REDIS_URL" "DATABASE_URL" -}}
{{- include "natter.need" (dict "role" (dict "root" $ "role" "worker" "own" $own) "name" $name "what" (printf "worker '%s'" $worker)) -}}
{{- end -}}
{{- end -}}
{{- if .Values.migrate.enabled -}}
{{- range $name := list "NATS_URL" "DATABASE_URL" -}}
{{- include "natter.need" (dict "role" (dict "root" $ "role" "migrate" "own" $.Values.migrate) "name" $name "what" "migrate") -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* A job that runs nowhere stops a part of the whole: nothing is stored, or no one logs in. */}}
{{- define "natter.validateJobs" -}}
{{- $edge := include "natter.settings" (dict "root" . "role" "edge" "own" .Values.edge) | fromYaml -}}
{{- $needed := list "persist" "accounts" "conversations" "history" "inbox" "presence" "erasures" -}}
{{- if eq (dig "CHAT_ENCRYPTION_ENABLED" "value" "" $edge) "true" -}}
{{- $needed = append $needed "keys" -}}
{{- end -}}
{{- $mirrored := false -}}
{{- $run := list -}}
{{- range $name, $own := include "natter.workers" . | fromYaml -}}
{{- $settings := include "natter.settings" (dict "root" $ "role" "worker" "own" $own) | fromYaml -}}
{{- $roots := or $settings.CHAT_MESSAGE_KEY $settings.CHAT_MESSAGE_KEYS $settings.CHAT_MESSAGE_KEYS_FILE $settings.CHAT_KMS_URL -}}
{{- if $settings.KAFKA_BROKERS }}{{ $mirrored = true }}{{ end -}}
{{- if and (has "mirror" $own.jobs) (not $settings.KAFKA_BROKERS) -}}
{{- fail (printf "workers.%s.jobs has mirror, but there is no KAFKA_BROKERS to mirror to" $name) -}}
{{- end -}}
{{- if and $settings.AUDIT_LOG (ne (dig "value" "" $settings.AUDIT_LOG) "stdout") -}}
{{- fail (printf "workers.%s has AUDIT_LOG other than stdout: the file system of a pod is read-only" $name) -}}
{{- end -}}
{{- if and (has "keys" $own.jobs) (not $roots) -}}
{{- fail (printf "workers.%s.jobs has keys, but no root: set secretSettings.CHAT_MESSAGE_KEY or settings.CHAT_KMS_URL" $name) -}}
{{- end -}}
{{- if or (gt (int $own.replicas) 0) $own.keda.enabled -}}
{{- if $own.jobs -}}
{{- $run = concat $run $own.jobs -}}
{{- else -}}
{{- $run = concat $run (list "persist" "accounts" "conversations" "history" "inbox" "presence" "erasures") -}}
{{- if $settings.KAFKA_BROKERS }}{{ $run = append $run "mirror" }}{{ end -}}
{{- if $roots }}{{ $run = append $run "keys" }}{{ end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if $mirrored }}{{ $needed = append $needed "mirror" }}{{ end -}}
{{- range $job := $needed -}}
{{- if not (has $job $run) -}}
{{- fail (printf "the job %s runs in none of workers: add it to the jobs of one with replicas%s" $job (eq $job "keys" | ternary ", and give that one a root (secretSettings.CHAT_MESSAGE_KEY or settings.CHAT_KMS_URL)" "")) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "natter.validateShape" -}}
{{- if and .Values.ingress.enabled .Values.httpRoute.enabled -}}
{{- fail "ingress.enabled and httpRoute.enabled are both true: choose one way in" -}}
{{- end -}}
{{- if and .Values.ingress.enabled (not .Values.ingress.host) -}}
{{- fail "ingress.host is missing: an ingress without it would answer for every host" -}}
{{- end -}}
{{- if and .Values.httpRoute.enabled (not .Values.httpRoute.parentRefs) -}}
{{- fail "httpRoute.parentRefs is empty: name the Gateway" -}}
{{- end -}}
{{- with .Values.edge.autoscaling -}}
{{- if and .enabled (gt (int .minReplicas) (int .maxReplicas)) -}}
{{- fail (printf "edge.autoscaling.minReplicas (%d) is more than maxReplicas (%d)" (int .minReplicas) (int .maxReplicas)) -}}
{{- end -}}
{{- end -}}
{{- range $name, $own := include "natter.workers" . | fromYaml -}}
{{- with $own.keda -}}
{{- if and .enabled (or (not .serverAddress) (not .query)) -}}
{{- fail (printf "workers.%s.keda needs serverAddress and query" $name) -}}
{{- end -}}
{{- if and .enabled (gt (int .minReplicas) (int .maxReplicas)) -}}
{{- fail (printf "workers.%s.keda.minReplicas (%d) is more than maxReplicas (%d)" $name (int .minReplicas) (int .maxReplicas)) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if and .Values.edge.tls.secret (or .Values.settings.TLS_CERT .Values.edge.settings.TLS_CERT) -}}
{{- fail "edge.tls.secret sets TLS_CERT and TLS_KEY: leave them out of settings" -}}
{{- end -}}
{{- if and .Values.adminTls.secret .Values.settings.ADMIN_TLS_CERT -}}
{{- fail "adminTls.secret sets ADMIN_TLS_CERT and ADMIN_TLS_KEY: leave them out of settings" -}}
{{- end -}}
{{- if or (hasKey .Values.settings "DRAIN_TIME") (hasKey .Values.edge.settings "DRAIN_TIME") -}}
{{- fail "edge.drainSeconds sets DRAIN_TIME: leave it out of settings" -}}
{{- end -}}
{{- range .Values.files -}}
{{- if eq (empty .secret) (empty .configMap) -}}
{{- fail (printf "files: '%s' needs a secret or a configMap, one of them" .name) -}}
{{- end -}}
{{- end -}}
{{- end -}}
