// The messages of v1alpha1.CSIDriverProvider for the server of main.go. Refuses bytes that are not protobuf.

package main

import (
	"context"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/emptypb"
)

// mountRequest holds the fields of v1alpha1.MountRequest that a provider reads, each of them JSON.
type mountRequest struct{ attributes, secrets, permission string }

// file is a file of a volume and the version that it came from.
type file struct {
	id, version, path string
	mode              uint32
	content           []byte
}

// service describes v1alpha1.CSIDriverProvider of proto/service.proto. Messages are empty ones to gRPC, which keeps the
// fields of each as unknown ones, so that no code has to be generated.
func service(mount func(context.Context, mountRequest) ([]file, error)) *grpc.ServiceDesc {
	method := func(name string, answer func(context.Context, []byte) ([]byte, error)) grpc.MethodDesc {
		handle := func(_ any, ctx context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
			request, response := &emptypb.Empty{}, &emptypb.Empty{}
			if err := decode(request); err != nil {
				return nil, err
			}
			body, err := answer(ctx, request.ProtoReflect().GetUnknown())
			response.ProtoReflect().SetUnknown(body)
			return proto.Message(response), err
		}
		return grpc.MethodDesc{MethodName: name, Handler: handle}
	}
	return &grpc.ServiceDesc{ServiceName: "v1alpha1.CSIDriverProvider", Methods: []grpc.MethodDesc{
		method("Version", func(context.Context, []byte) ([]byte, error) {
			return field(field(nil, 1, []byte("v1alpha1")), 2, []byte("go-peer")), nil
		}),
		method("Mount", func(ctx context.Context, body []byte) ([]byte, error) {
			request, err := decodeRequest(body)
			if err != nil {
				return nil, err
			}
			files, err := mount(ctx, request)
			return encodeFiles(files), err
		}),
	}}
}

func decodeRequest(body []byte) (request mountRequest, err error) {
	targets := map[protowire.Number]*string{1: &request.attributes, 2: &request.secrets, 4: &request.permission}
	for len(body) > 0 {
		number, kind, length := protowire.ConsumeTag(body)
		if length < 0 {
			return request, protowire.ParseError(length)
		}
		value := body[length:]
		size := protowire.ConsumeFieldValue(number, kind, value)
		if size < 0 {
			return request, protowire.ParseError(size)
		}
		if target := targets[number]; target != nil && kind == protowire.BytesType {
			content, _ := protowire.ConsumeBytes(value)
			*target = string(content)
		}
		body = value[size:]
	}
	return request, nil
}

// encodeFiles returns a v1alpha1.MountResponse: field 1 holds the versions, field 3 the files.
func encodeFiles(files []file) (body []byte) {
	for _, file := range files {
		body = field(body, 1, field(field(nil, 1, []byte(file.id)), 2, []byte(file.version)))
	}
	for _, file := range files {
		message := protowire.AppendTag(field(nil, 1, []byte(file.path)), 2, protowire.VarintType)
		message = protowire.AppendVarint(message, uint64(file.mode))
		body = field(body, 3, field(message, 3, file.content))
	}
	return body
}

func field(body []byte, number protowire.Number, value []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(body, number, protowire.BytesType), value)
}
