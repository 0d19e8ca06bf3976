// Go wants this file where the others are used in its place with -modfile: there is one for each driver line.
module akv-csi-provider/real-driver

go 1.24
