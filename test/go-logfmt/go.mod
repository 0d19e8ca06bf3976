// The parser of log lines that Loki uses.
module akv-csi-provider/go-logfmt

go 1.24.0

require github.com/go-logfmt/logfmt v0.6.0
