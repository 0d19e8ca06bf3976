// Command go-client calls a provider the way the Secrets Store CSI driver does, with the gRPC library the driver uses.
// It prints one JSON object for each call.
package main

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"flag"
	"log"
	"net"
	"os"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"
)

// The driver waits for a provider that is starting, and calls again only where a call was not answered at all.
const serviceConfig = `{"methodConfig": [{
	"name": [{"service": "v1alpha1.CSIDriverProvider"}],
	"waitForReady": true,
	"retryPolicy": {
		"maxAttempts": 3,
		"initialBackoff": "1s",
		"maxBackoff": "10s",
		"backoffMultiplier": 1.1,
		"retryableStatusCodes": ["UNAVAILABLE"]
	}
}]}`

type outcome struct {
	Code    string `json:"code"`
	Message string `json:"message"`
	Reply   string `json:"reply"`
}

func main() {
	target := flag.String("target", "", "the bare path of a socket (drivers up to v1.5), or unix:path (v1.6)")
	method := flag.String("method", "", "full name of the method")
	request := flag.String("request", "", "the request message in hex")
	count := flag.Int("count", 1, "how many calls to make, one after the other, over one connection")
	timeout := flag.Duration("timeout", time.Minute, "deadline of each call")
	flag.Parse()

	body, err := hex.DecodeString(*request)
	if err != nil {
		log.Fatal(err)
	}
	connection, err := dial(*target)
	if err != nil {
		log.Fatal(err)
	}
	defer connection.Close()
	for i := 0; i < *count; i++ {
		if err := json.NewEncoder(os.Stdout).Encode(call(connection, *method, body, *timeout)); err != nil {
			log.Fatal(err)
		}
	}
}

func dial(target string) (*grpc.ClientConn, error) {
	options := []grpc.DialOption{
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultServiceConfig(serviceConfig),
	}
	if target[0] == '/' {
		options = append(options, grpc.WithContextDialer(func(ctx context.Context, path string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", path)
		}))
	}
	return grpc.Dial(target, options...)
}

// call sends the bytes as they are: to an empty message every field is an unknown one, which is kept.
func call(connection *grpc.ClientConn, method string, body []byte, timeout time.Duration) outcome {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	request, reply := &emptypb.Empty{}, &emptypb.Empty{}
	request.ProtoReflect().SetUnknown(body)
	err := connection.Invoke(ctx, method, request, reply)
	answer := status.Convert(err)
	return outcome{
		Code:    answer.Code().String(),
		Message: answer.Message(),
		Reply:   hex.EncodeToString(reply.ProtoReflect().GetUnknown()),
	}
}
