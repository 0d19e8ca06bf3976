{{/* Value of the label `app`, and part of the names: the official chart's. */}}
{{- define "akv.name" -}}
{{- default "csi-secrets-store-provider-azure" .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{/* Name of the DaemonSet. */}}
{{- define "akv.fullname" -}}
{{- $name := include "akv.name" . -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" -}}
{{- else if contains $name .Release.Name -}}
{{- .Release.Name | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* Labels of a pod; none that changes with the chart's version alone, which would restart every pod. */}}
{{- define "akv.podLabels" -}}
app: {{ include "akv.name" . | quote }}
app.kubernetes.io/name: {{ .Chart.Name | quote }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end -}}

{{/* Labels of every object. */}}
{{- define "akv.labels" -}}
{{ include "akv.podLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service | quote }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" | quote }}
{{- end -}}

{{/* The image, by digest where one is given. */}}
{{- define "akv.image" -}}
{{- with .Values.linux.image -}}
{{- if .digest -}}
{{- printf "%s@%s" .repository .digest -}}
{{- else -}}
{{- printf "%s:%s" .repository (default $.Chart.AppVersion .tag) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* The port of `metricsAddr`, which is `8898` or `:8898`. */}}
{{- define "akv.metricsPort" -}}
{{- .Values.metricsAddr | toString | trimPrefix ":" -}}
{{- end -}}

{{/* Arguments of `akv-csi serve` as a YAML list, `extraArgs` last so that they win. */}}
{{- define "akv.args" -}}
{{- $v := .Values -}}
{{- $args := list (printf "--endpoint=unix:///provider/%s.sock" $v.providerName) -}}
{{- if $v.logFormatJSON -}}{{- $args = append $args "--log-format-json=true" -}}{{- end -}}
{{- if $v.logVerbosity -}}{{- $args = append $args (printf "-v=%d" (int $v.logVerbosity)) -}}{{- end -}}
{{- $args = append $args (printf "--construct-pem-chain=%t" $v.constructPEMChain) -}}
{{- if $v.writeCertAndKeyInSeparateFiles -}}{{- $args = append $args "--write-cert-and-key-in-separate-files=true" -}}{{- end -}}
{{- $args = append $args (printf "--healthz-port=%d" (int $v.linux.healthzPort)) -}}
{{- $args = append $args (printf "--healthz-path=%s" $v.linux.healthzPath) -}}
{{- $args = append $args (printf "--healthz-timeout=%s" $v.linux.healthzTimeout) -}}
{{- $args = append $args (printf "--prometheus-port=%s" (include "akv.metricsPort" .)) -}}
{{- range $flag, $value := dict
  "cloud-name" $v.cloudName
  "token-proxy-url" $v.tokenProxyURL
  "sni-name" $v.sniName
  "cache-ttl" $v.cacheTTL
  "pinned-cache-ttl" $v.pinnedCacheTTL
  "custom-user-agent" $v.linux.customUserAgent -}}
{{- if $value -}}{{- $args = append $args (printf "--%s=%s" $flag $value) -}}{{- end -}}
{{- end -}}
{{- toYaml (concat $args $v.extraArgs) -}}
{{- end -}}

{{/* Environment of the container as a YAML list, `env` last so that it wins. */}}
{{- define "akv.env" -}}
{{- $env := list -}}
{{- with .Values.proxy -}}
{{- if .httpProxy -}}{{- $env = append $env (dict "name" "HTTP_PROXY" "value" .httpProxy) -}}{{- end -}}
{{- if .httpsProxy -}}{{- $env = append $env (dict "name" "HTTPS_PROXY" "value" .httpsProxy) -}}{{- end -}}
{{- if .noProxy -}}{{- $env = append $env (dict "name" "NO_PROXY" "value" .noProxy) -}}{{- end -}}
{{- end -}}
{{- with .Values.caBundle -}}
{{- if or .configMap .secret -}}
{{- $env = append $env (dict "name" "NODE_EXTRA_CA_CERTS" "value" (printf "/etc/akv-csi/ca/%s" .key)) -}}
{{- end -}}
{{- end -}}
{{- with concat $env .Values.env -}}{{- toYaml . -}}{{- end -}}
{{- end -}}

{{/* Refuses what cannot work, every mistake in one message. */}}
{{- define "akv.check" -}}
{{- $v := .Values -}}
{{- $wrong := list -}}
{{- if $v.windows.enabled -}}
{{- $wrong = append $wrong "windows.enabled: this provider runs on Linux nodes only; set it to false and keep the official provider on Windows nodes" -}}
{{- end -}}
{{- if $v.enableArcExtension -}}
{{- $wrong = append $wrong "enableArcExtension: the Arc monitoring containers are not part of this chart; set it to false, and the proxy in `proxy`" -}}
{{- end -}}
{{- if dig "proxySettings" "isProxyEnabled" false ($v.Azure | default dict) -}}
{{- $wrong = append $wrong "Azure.proxySettings: not read here; set `proxy.httpsProxy`, `proxy.noProxy` and `caBundle` instead" -}}
{{- end -}}
{{- if $v.rbac.pspEnabled -}}
{{- $wrong = append $wrong "rbac.pspEnabled: pod security policies were removed in Kubernetes 1.25; set it to false" -}}
{{- end -}}
{{- if and $v.caBundle.configMap $v.caBundle.secret -}}
{{- $wrong = append $wrong "caBundle: give configMap or secret, not both" -}}
{{- end -}}
{{- $surge := dig "rollingUpdate" "maxSurge" 0 $v.linux.updateStrategy | toString -}}
{{- if and $v.linux.hostNetwork (not (has $surge (list "0" "0%"))) -}}
{{- $wrong = append $wrong "linux.updateStrategy.rollingUpdate.maxSurge: old and new pod cannot share the node's ports; set linux.hostNetwork to false" -}}
{{- end -}}
{{- if eq (int $v.linux.healthzPort) (int (include "akv.metricsPort" .)) -}}
{{- $wrong = append $wrong "linux.healthzPort and metricsAddr are the same port" -}}
{{- end -}}
{{- if $wrong -}}
{{- fail (printf "\n  - %s" (join "\n  - " $wrong)) -}}
{{- end -}}
{{- end -}}
