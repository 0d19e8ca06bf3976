module akv-csi-provider/real-driver

go 1.25.9

require sigs.k8s.io/secrets-store-csi-driver v1.6.0

replace monis.app/mlog => ./mlog
