module akv-csi-provider/real-driver

go 1.24.13

require sigs.k8s.io/secrets-store-csi-driver v1.5.6

replace monis.app/mlog => ./mlog
