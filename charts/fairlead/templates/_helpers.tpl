{{- define "fairlead.fullname" -}}
{{- if contains .Chart.Name .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name .Chart.Name | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end }}

{{- define "fairlead.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: operator
{{- end }}

{{- define "fairlead.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
{{ include "fairlead.selector" . }}
{{- end }}

{{- define "fairlead.serviceAccount" -}}
{{- .Values.serviceAccount.name | default (ternary (include "fairlead.fullname" .) "default" .Values.serviceAccount.create) -}}
{{- end }}

{{/* The port of an address; without an address that of AWS. */}}
{{- define "fairlead.port" -}}
{{- $host := (urlParse (default "https://aws" .)).host -}}
{{- $port := regexFind "[0-9]+$" (regexFind ":[0-9]+$" $host) -}}
{{- $port | default (ternary "80" "443" (hasPrefix "http:" (default "" .))) -}}
{{- end }}

{{/* The operator's configuration; its fields are those of operator/fairlead/api/config.py. */}}
{{- define "fairlead.config" -}}
images:
  worker: {{ .Values.images.worker | quote }}
  runtimes: {{ toJson .Values.images.runtimes }}
  {{- with .Values.images.trainer }}
  trainer: {{ quote . }}
  {{- end }}
  {{- with .Values.images.proxy }}
  proxy: {{ quote . }}
  {{- end }}
{{- with .Values.store }}
{{- if .bucket }}
store:
  bucket: {{ .bucket | quote }}
  {{- with .prefix }}
  prefix: {{ . | quote }}
  {{- end }}
  {{- with .endpoint }}
  endpoint: {{ . | quote }}
  {{- end }}
  {{- with .region }}
  region: {{ . | quote }}
  {{- end }}
  {{- with (.credentials).name }}
  credentials: {name: {{ . | quote }}}
  {{- end }}
{{- end }}
{{- end }}
prometheus:
  {{- with .Values.prometheus.url }}
  url: {{ . | quote }}
  {{- end }}
  enabled: {{ .Values.prometheus.enabled }}
  labels: {{ toJson .Values.prometheus.labels }}
  runbooks: {{ .Values.prometheus.runbooks | default "docs" | quote }}
{{- with .Values.tuning }}
tuning: {{ toJson . }}
{{- end }}
{{- with .Values.surge }}
surge: {{ toJson . }}
{{- end }}
{{- with .Values.monitors }}
monitors: {{ toJson . }}
{{- end }}
{{- with .Values.jobs }}
jobs: {{ toJson . }}
{{- end }}
{{- $labels := (.Values.pods.labels).allowed }}
{{- $annotations := (.Values.pods.annotations).allowed }}
{{- if or $labels $annotations }}
pods: {{ toJson (dict "labels" (dict "allowed" ($labels | default list)) "annotations" (dict "allowed" ($annotations | default list))) }}
{{- end }}
{{- with .Values.require }}
{{- if not $.Values.approvals.enabled }}
{{- fail "require needs approvals.enabled: without the policies anybody approves in any name" }}
{{- end }}
require: {{ toJson . }}
{{- end }}
{{- with .Values.routes }}
routes: {{ toJson . }}
{{- end }}
{{- with .Values.endpoints }}
endpoints: {{ toJson . }}
{{- end }}
{{- with .Values.identity }}
identity: {{ toJson . }}
{{- end }}
namespaces: {{ toJson .Values.namespaces }}
workers: {{ .Values.workers }}
{{- end }}

{{/* Where it stands what to do about an alert: (list $ "Name"). */}}
{{- define "fairlead.runbook" -}}
{{ (index . 0).Values.prometheus.runbooks | default "docs" | trimSuffix "/" }}/how-to/act-on-alerts.md#{{ index . 1 | lower }}
{{- end }}
