// Reads a secret with Azure's SDK for Go: `read-secret VAULT-URL SECRET`, as a service principal by the client secret in
// the environment, then by managed identity. Prints the first line of the value for each.
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
	if len(os.Args) != 3 {
		log.Fatal("usage: read-secret VAULT-URL SECRET")
	}
	// Without instance discovery, the SDK does not ask login.microsoftonline.com about the emulator.
	options := &azidentity.ClientSecretCredentialOptions{DisableInstanceDiscovery: true}
	principal, err := azidentity.NewClientSecretCredential(os.Getenv("AZURE_TENANT_ID"), os.Getenv("AZURE_CLIENT_ID"),
		os.Getenv("AZURE_CLIENT_SECRET"), options)
	read(principal, err)
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
