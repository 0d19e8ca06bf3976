{{/* In this file and in _check.tpl, settings are the result of `akv.settings`, not `.Values`. */}}

{{/* The value of the label `app` and a part of the names, as in the official chart. Argument: the settings. */}}
{{- define "akv.name" -}}
{{- default "csi-secrets-store-provider-azure" .nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{/* The name of the DaemonSet. Arguments: the settings and the root. */}}
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

{{/* The name of the ServiceAccount. With rbac.install: false, the default is the official chart's name. */}}
{{- define "akv.serviceAccount" -}}
{{- if .rbac.serviceAccountName -}}
{{- .rbac.serviceAccountName -}}
{{- else if .rbac.install -}}
{{- include "akv.name" . -}}
{{- else -}}
csi-secrets-store-provider-azure
{{- end -}}
{{- end -}}

{{/* Returns "true" if the provider serves one of these identity modes. Arguments: `modes` and the settings. */}}
{{- define "akv.serves" -}}
{{- $served := .settings.identityModes -}}
{{- range .modes -}}{{- if has . $served -}}{{- $served = list -}}{{- end -}}{{- end -}}
{{- if not $served -}}true{{- end -}}
{{- end -}}

{{/*
Returns "true" if the pods use the node's network. With `auto`, they do if they serve an identity that only the node can
reach on many clusters: IMDS where it is closed to pods, and NMI, which listens on the node's loopback address.
*/}}
{{- define "akv.hostNetwork" -}}
{{- if eq .linux.hostNetwork "auto" -}}
{{- include "akv.serves" (dict "modes" (list "managed-identity" "pod-identity") "settings" .) -}}
{{- else -}}
{{- .linux.hostNetwork -}}
{{- end -}}
{{- end -}}

{{/*
Returns "true" if the provider reads SecretProviderClasses to find out what pods change: it serves the node's own identity,
and pods may not change every parameter. The argument is the settings.
*/}}
{{- define "akv.readsClasses" -}}
{{- $servesNode := include "akv.serves" (dict "modes" (list "managed-identity") "settings" .) -}}
{{- if and $servesNode (not (has "*" .allowVolumeAttributes)) -}}true{{- end -}}
{{- end -}}

{{/* Returns "true" if the provider reads anything from the API server. The argument is the settings. */}}
{{- define "akv.readsCluster" -}}
{{- if or (include "akv.readsClasses" .) .serviceAccountLookup -}}true{{- end -}}
{{- end -}}

{{/* The name of the ClusterRole and its binding. It is unique among the releases of all namespaces. */}}
{{- define "akv.clusterName" -}}
{{- printf "%s-%s" (include "akv.fullname" .) .root.Release.Namespace -}}
{{- end -}}

{{/* The labels of a pod as YAML. No label contains the chart's version, because a change would restart every pod. */}}
{{- define "akv.podLabels" -}}
{{- dict
  "app" (include "akv.name" .settings)
  "app.kubernetes.io/name" .root.Chart.Name
  "app.kubernetes.io/instance" .root.Release.Name | toYaml -}}
{{- end -}}

{{/* The labels of every object. */}}
{{- define "akv.labels" -}}
{{ include "akv.podLabels" . }}
{{- with .root }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service | quote }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" | quote }}
{{- end }}
{{- end -}}

{{/* The image, by digest if it is set. */}}
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
The address of the health endpoint on the node's network. The kubelet can reach it, but pods cannot. Without the node's
network, the kubelet uses the pod's address.
*/}}
{{- define "akv.loopback" -}}127.0.0.1{{- end -}}

{{/* A probe of the health endpoint. Arguments: the settings, and `times`, the periods and the limits of this probe. */}}
{{- define "akv.probe" -}}
httpGet:
  {{- if .settings.linux.hostNetwork }}
  host: {{ include "akv.loopback" . }}
  {{- end }}
  path: {{ .settings.linux.healthzPath }}
  port: healthz
{{- range $name, $value := .times }}
{{ $name }}: {{ int $value }}
{{- end }}
{{- end -}}

{{/* The arguments of `akv-csi serve` as a YAML list. `extraArgs` are last and override. Argument: the settings. */}}
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
{{- if not .verifyTokensOffline -}}{{- $args = append $args "--verify-tokens-offline=false" -}}{{- end -}}
{{- if .serviceAccountLookup -}}{{- $args = append $args "--service-account-lookup=true" -}}{{- end -}}
{{- $cache := .offlineCache -}}
{{- range $flag, $value := dict
  "offline-cache-dir" (ternary "/offline-cache" "" (not (empty $cache.directory)))
  "offline-cache-key-file" (ternary (printf "/etc/akv-csi/offline-cache/%s" $cache.key) "" (not (empty $cache.directory)))
  "prometheus-host" .metricsHost
  "certificate-policy" (ternary "" .certificatePolicy (eq .certificatePolicy "warn"))
  "identity-modes" (join "," .identityModes)
  "allow-volume-attributes" (join "," .allowVolumeAttributes)
  "cloud-name" .cloudName
  "cloud-file-dir" .cloudFileDir
  "token-proxy-url" .tokenProxyURL
  "sni-name" .sniName
  "cache-ttl" .cacheTTL
  "pinned-cache-ttl" .pinnedCacheTTL
  "memory-budget" .memoryBudget
  "max-stale" .maxStale
  "custom-user-agent" .linux.customUserAgent -}}
{{- if $value -}}{{- $args = append $args (printf "--%s=%s" $flag $value) -}}{{- end -}}
{{- end -}}
{{- toYaml (concat $args .extraArgs) -}}
{{- end -}}

{{/* The environment of the container as a YAML list. `env` overrides. Argument: the settings. */}}
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
{{- if and .offlineCache.directory (not (hasKey $given "NODE_NAME")) -}}
{{- $env = append $env (dict "name" "NODE_NAME" "valueFrom" (dict "fieldRef" (dict "fieldPath" "spec.nodeName"))) -}}
{{- end -}}
{{- with concat $env .env -}}{{- toYaml . -}}{{- end -}}
{{- end -}}

{{/*
The update strategy, with numbers that were set as text converted. By default, the new pod of a node is ready before the
old one ends. Pods on the node's network cannot do so, because of their ports, nor those with an offline cache, which one
process writes, nor Kubernetes before 1.22. Arguments: the settings and the root.
*/}}
{{- define "akv.updateStrategy" -}}
{{- $strategy := deepCopy .settings.linux.updateStrategy -}}
{{- $given := $strategy.rollingUpdate | default dict -}}
{{- $numbers := dict -}}
{{- range $name, $value := $given -}}
{{- $_ := set $numbers $name (ternary (int $value) $value (regexMatch "^[0-9]+$" (toString $value))) -}}
{{- end -}}
{{- if eq (default "RollingUpdate" $strategy.type) "RollingUpdate" -}}
{{- $linux := .settings.linux -}}
{{- $canSurge := and (not $linux.hostNetwork) (not .settings.offlineCache.directory) (semverCompare ">=1.22.0-0" .root.Capabilities.KubeVersion.Version) -}}
{{- if not $given -}}
{{- $numbers = ternary (dict "maxSurge" 1 "maxUnavailable" 0) (dict "maxUnavailable" 1) $canSurge -}}
{{- else if and (not (has (toString $given.maxSurge) (list "0" "0%" "<nil>"))) (not (hasKey $given "maxUnavailable")) -}}
{{- $_ := set $numbers "maxUnavailable" 0 -}}
{{- end -}}
{{- $strategy = dict "type" "RollingUpdate" "rollingUpdate" $numbers -}}
{{- end -}}
{{- toYaml $strategy -}}
{{- end -}}

{{/*
The settings of a scrape, for a PodMonitor or ServiceMonitor. The metrics have the namespace and the pod that mount, which
honorLabels keeps. The label node tells the providers apart.
*/}}
{{- define "akv.scrape" -}}
path: /metrics
honorLabels: true
{{- with .interval }}
interval: {{ . }}
{{- end }}
relabelings:
  - sourceLabels: [__meta_kubernetes_pod_node_name]
    targetLabel: node
{{- end -}}

{{/* The TCP ports that the provider connects to, but for name servers and IMDS, as a JSON list. Argument: the settings. */}}
{{- define "akv.egressPorts" -}}
{{- $ports := list 443 6443 -}}
{{- $urls := list .tokenProxyURL .proxy.httpsProxy .proxy.httpProxy -}}
{{- range .env -}}
  {{- if regexMatch "^((?i:(https?|all)_proxy)|OTEL_EXPORTER_OTLP(_TRACES)?_ENDPOINT)$" .name -}}{{- $urls = append $urls .value -}}{{- end -}}
{{- end -}}
{{- range $urls -}}
  {{- if . -}}
  {{- $host := regexReplaceAll "^([a-zA-Z]+://)?([^/]*@)?([^/]*).*$" . "${3}" -}}
  {{- $port := regexFind ":[0-9]+$" $host | trimPrefix ":" -}}
  {{- $ports = append $ports (default (ternary "443" "80" (hasPrefix "https:" .)) $port | int) -}}
  {{- end -}}
{{- end -}}
{{- uniq $ports | toJson -}}
{{- end -}}

{{/* The rule of a NetworkPolicy for the metrics: the given peers, or every one if policies are off. Argument: the settings. */}}
{{- define "akv.metricsIngress" -}}
{{- if not .networkPolicy.enabled -}}
- ports:
    - port: metrics
{{- else if .networkPolicy.metricsFrom -}}
- ports:
    - port: metrics
  from:
    {{- toYaml .networkPolicy.metricsFrom | nindent 4 }}
{{- end -}}
{{- end -}}
