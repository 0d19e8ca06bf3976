{{/* In this file and in _check.tpl the settings are those of `akv.settings`, not `.Values`. */}}

{{/* Value of the label `app`, and part of the names: the official chart's. Of the settings. */}}
{{- define "akv.name" -}}
{{- default "csi-secrets-store-provider-azure" .nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{/* Name of the DaemonSet. Of the settings and the release's name. */}}
{{- define "akv.fullname" -}}
{{- $name := include "akv.name" .settings -}}
{{- if .settings.fullnameOverride -}}
{{- .settings.fullnameOverride | trunc 63 | trimSuffix "-" -}}
{{- else if contains $name .root.Release.Name -}}
{{- .root.Release.Name | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .root.Release.Name $name | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* Name of the ServiceAccount; one that was made elsewhere (rbac.install: false) has the official chart's name. */}}
{{- define "akv.serviceAccount" -}}
{{- if .rbac.serviceAccountName -}}
{{- .rbac.serviceAccountName -}}
{{- else if .rbac.install -}}
{{- include "akv.name" . -}}
{{- else -}}
csi-secrets-store-provider-azure
{{- end -}}
{{- end -}}

{{/* Labels of a pod as YAML; none that changes with the chart's version alone, which would restart every pod. */}}
{{- define "akv.podLabels" -}}
{{- dict
  "app" (include "akv.name" .settings)
  "app.kubernetes.io/name" .root.Chart.Name
  "app.kubernetes.io/instance" .root.Release.Name | toYaml -}}
{{- end -}}

{{/* Labels of every object. */}}
{{- define "akv.labels" -}}
{{ include "akv.podLabels" . }}
{{- with .root }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service | quote }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" | quote }}
{{- end }}
{{- end -}}

{{/* The image, by digest where one is given. */}}
{{- define "akv.image" -}}
{{- with .settings.linux.image -}}
{{- if .digest -}}
{{- printf "%s@%s" .repository .digest -}}
{{- else -}}
{{- printf "%s:%s" .repository (default $.root.Chart.AppVersion .tag) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/*
Where the health endpoint listens on the node's network: the kubelet asks from the node itself, and pods are kept out.
Off that network the kubelet asks at the pod's address.
*/}}
{{- define "akv.loopback" -}}127.0.0.1{{- end -}}

{{/* What a probe of the kubelet asks. Of the settings. */}}
{{- define "akv.probe" -}}
httpGet:
  {{- if .linux.hostNetwork }}
  host: {{ include "akv.loopback" . }}
  {{- end }}
  path: {{ .linux.healthzPath }}
  port: healthz
{{- end -}}

{{/* Arguments of `akv-csi serve` as a YAML list, `extraArgs` last so that they win. Of the settings. */}}
{{- define "akv.args" -}}
{{- $args := list (printf "--endpoint=unix:///provider/%s.sock" .providerName) -}}
{{- if .logFormatJSON -}}{{- $args = append $args "--log-format-json=true" -}}{{- end -}}
{{- if .logVerbosity -}}{{- $args = append $args (printf "-v=%d" (int .logVerbosity)) -}}{{- end -}}
{{- $args = append $args (printf "--construct-pem-chain=%t" .constructPEMChain) -}}
{{- if .writeCertAndKeyInSeparateFiles -}}{{- $args = append $args "--write-cert-and-key-in-separate-files=true" -}}{{- end -}}
{{- if .linux.hostNetwork -}}{{- $args = append $args (printf "--healthz-host=%s" (include "akv.loopback" .)) -}}{{- end -}}
{{- $args = append $args (printf "--healthz-port=%d" (int .linux.healthzPort)) -}}
{{- $args = append $args (printf "--healthz-path=%s" .linux.healthzPath) -}}
{{- $args = append $args (printf "--healthz-timeout=%s" .linux.healthzTimeout) -}}
{{- $args = append $args (printf "--prometheus-port=%d" (int .metricsAddr)) -}}
{{- if not .metricsObjectNames -}}{{- $args = append $args "--metrics-object-names=false" -}}{{- end -}}
{{- range $flag, $value := dict
  "certificate-policy" (ternary "" .certificatePolicy (eq .certificatePolicy "warn"))
  "cloud-name" .cloudName
  "cloud-file-dir" .cloudFileDir
  "token-proxy-url" .tokenProxyURL
  "sni-name" .sniName
  "cache-ttl" .cacheTTL
  "pinned-cache-ttl" .pinnedCacheTTL
  "custom-user-agent" .linux.customUserAgent -}}
{{- if $value -}}{{- $args = append $args (printf "--%s=%s" $flag $value) -}}{{- end -}}
{{- end -}}
{{- toYaml (concat $args .extraArgs) -}}
{{- end -}}

{{/* Environment of the container as a YAML list; `env` wins. Of the settings. */}}
{{- define "akv.env" -}}
{{- $given := dict -}}
{{- range .env -}}{{- $_ := set $given .name true -}}{{- end -}}
{{- $ca := "" -}}
{{- if or .caBundle.configMap .caBundle.secret -}}{{- $ca = printf "/etc/akv-csi/ca/%s" .caBundle.key -}}{{- end -}}
{{- $env := list -}}
{{- range list
  (dict "name" "HTTP_PROXY" "value" .proxy.httpProxy)
  (dict "name" "HTTPS_PROXY" "value" .proxy.httpsProxy)
  (dict "name" "NO_PROXY" "value" .proxy.noProxy)
  (dict "name" "NODE_EXTRA_CA_CERTS" "value" $ca) -}}
{{- if and .value (not (hasKey $given .name)) -}}{{- $env = append $env . -}}{{- end -}}
{{- end -}}
{{- with concat $env .env -}}{{- toYaml . -}}{{- end -}}
{{- end -}}

{{/* The update strategy; numbers may come as text. Of the settings. */}}
{{- define "akv.updateStrategy" -}}
{{- $strategy := deepCopy .linux.updateStrategy -}}
{{- range $name, $value := dig "rollingUpdate" dict $strategy | default dict -}}
{{- if regexMatch "^[0-9]+$" (toString $value) -}}{{- $_ := set $strategy.rollingUpdate $name (int $value) -}}{{- end -}}
{{- end -}}
{{- toYaml $strategy -}}
{{- end -}}
