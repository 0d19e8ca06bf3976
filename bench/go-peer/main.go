// Command go-peer is a provider that reads as the official provider does: each Mount has a new credential and new
// clients of the Azure SDK, and reads one object after another. bench/go-peer.ts builds and starts it, for comparison.
// It refuses everything that the benchmark does not ask for.
package main

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path"
	"strings"
	"syscall"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/azcertificates"
	"github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/azkeys"
	"github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/azsecrets"
	"google.golang.org/grpc"
	"gopkg.in/yaml.v3"
)

// object is one element of the parameter objects.
type object struct {
	Name string `yaml:"objectName"`
	Type string `yaml:"objectType"`
}

// vault holds the clients of one Mount. Their pipelines share the credential, and each learns the challenge by itself.
type vault struct {
	secrets      *azsecrets.Client
	keys         *azkeys.Client
	certificates *azcertificates.Client
}

func main() {
	log.SetFlags(0)
	endpoint := flag.String("endpoint", "", "unix:// and the path of the socket to listen on")
	connect := flag.String("connect", "", "address of the emulator, to which all connections go")
	flag.Int("healthz-port", 0, "accepted as a flag of the official provider; no effect")
	flag.Int("prometheus-port", 0, "accepted as a flag of the official provider; no effect")
	flag.Parse()

	listener, err := net.Listen("unix", strings.TrimPrefix(*endpoint, "unix://"))
	if err != nil {
		log.Fatal(err)
	}
	options := azcore.ClientOptions{Transport: &http.Client{Transport: transport(*connect)}}
	server := grpc.NewServer()
	server.RegisterService(service(func(ctx context.Context, request mountRequest) ([]file, error) {
		return mount(ctx, request, options)
	}), nil)
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
	go func() {
		<-signals
		server.GracefulStop()
	}()
	if err := server.Serve(listener); err != nil {
		log.Fatal(err)
	}
}

// transport has the limits of the SDK's default transport. All Mounts share it, and with it the connections.
func transport(connect string) *http.Transport {
	dialer := &net.Dialer{Timeout: 30 * time.Second, KeepAlive: 30 * time.Second}
	return &http.Transport{
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			return dialer.DialContext(ctx, network, connect)
		},
		ForceAttemptHTTP2:     true,
		MaxIdleConns:          100,
		MaxIdleConnsPerHost:   10,
		IdleConnTimeout:       90 * time.Second,
		TLSHandshakeTimeout:   10 * time.Second,
		ExpectContinueTimeout: time.Second,
		TLSClientConfig:       &tls.Config{MinVersion: tls.VersionTLS12},
	}
}

func mount(ctx context.Context, request mountRequest, options azcore.ClientOptions) ([]file, error) {
	var parameters, secrets map[string]string
	var mode uint32
	if err := errors.Join(
		json.Unmarshal([]byte(request.attributes), &parameters),
		json.Unmarshal([]byte(request.secrets), &secrets),
		json.Unmarshal([]byte(request.permission), &mode),
	); err != nil {
		return nil, fmt.Errorf("failed to read the request: %w", err)
	}
	objects, err := objectsOf(parameters["objects"])
	if err != nil {
		return nil, err
	}
	clients, err := connectVault(parameters, secrets, options)
	if err != nil {
		return nil, err
	}
	files := make([]file, 0, len(objects))
	for _, wanted := range objects {
		content, version, err := clients.read(ctx, wanted)
		if err != nil {
			return nil, fmt.Errorf("failed to get %s/%s: %w", wanted.Type, wanted.Name, err)
		}
		id := wanted.Type + "/" + wanted.Name
		files = append(files, file{id: id, version: version, path: wanted.Name, mode: mode, content: content})
	}
	return files, nil
}

// objectsOf reads the parameter objects: YAML with a list of texts, each of which is YAML again.
func objectsOf(text string) ([]object, error) {
	var list struct {
		Array []string `yaml:"array"`
	}
	if err := yaml.Unmarshal([]byte(text), &list); err != nil {
		return nil, err
	}
	objects := make([]object, len(list.Array))
	for i, element := range list.Array {
		if err := yaml.Unmarshal([]byte(element), &objects[i]); err != nil {
			return nil, err
		}
	}
	return objects, nil
}

func connectVault(parameters, secrets map[string]string, options azcore.ClientOptions) (clients vault, err error) {
	login := &azidentity.ClientSecretCredentialOptions{ClientOptions: options}
	id, secret := secrets["clientid"], secrets["clientsecret"]
	credential, err := azidentity.NewClientSecretCredential(parameters["tenantID"], id, secret, login)
	if err != nil {
		return clients, err
	}
	url := fmt.Sprintf("https://%s.vault.azure.net", parameters["keyvaultName"])
	clients.secrets, err = azsecrets.NewClient(url, credential, &azsecrets.ClientOptions{ClientOptions: options})
	if err != nil {
		return clients, err
	}
	clients.keys, err = azkeys.NewClient(url, credential, &azkeys.ClientOptions{ClientOptions: options})
	if err != nil {
		return clients, err
	}
	all := &azcertificates.ClientOptions{ClientOptions: options}
	clients.certificates, err = azcertificates.NewClient(url, credential, all)
	return clients, err
}

func (clients vault) read(ctx context.Context, wanted object) (content []byte, version string, err error) {
	if wanted.Type != "secret" {
		return nil, "", fmt.Errorf("objectType %q is not one that the benchmark uses", wanted.Type)
	}
	answer, err := clients.secrets.GetSecret(ctx, wanted.Name, "", nil)
	if err != nil {
		return nil, "", err
	}
	return []byte(*answer.Value), path.Base(string(*answer.ID)), nil
}
