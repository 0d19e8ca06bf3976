module akv-csi-provider/real-driver

go 1.22.0

require sigs.k8s.io/secrets-store-csi-driver v1.4.8

replace monis.app/mlog => ./mlog
