// Reads one secret with Azure's SDK for Go: `go-client VAULT-URL SECRET`, by the client secret of the environment, then
// by the managed identity. Prints the first line of the value for each.
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/azsecrets"
)

func main() {
	log.SetFlags(0)
	secret, err := azidentity.NewClientSecretCredential(os.Getenv("AZURE_TENANT_ID"), os.Getenv("AZURE_CLIENT_ID"),
		os.Getenv("AZURE_CLIENT_SECRET"), &azidentity.ClientSecretCredentialOptions{DisableInstanceDiscovery: true})
	read(secret, err)
	read(azidentity.NewManagedIdentityCredential(nil))
}

func read(credential azcore.TokenCredential, err error) {
	if err != nil {
		log.Fatal(err)
	}
	client, err := azsecrets.NewClient(os.Args[1], credential, nil)
	if err != nil {
		log.Fatal(err)
	}
	answer, err := client.GetSecret(context.Background(), os.Args[2], "", nil)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(strings.SplitN(*answer.Value, "\n", 2)[0])
}
