// The CustomResourceDefinitions of objects that the chart makes for other operators.
module akv-csi-provider/operators

go 1.25.9

require (
	github.com/cert-manager/cert-manager v1.19.1
	github.com/prometheus-operator/prometheus-operator v0.85.0
)
