// Reads YAML texts as the official provider and kubectl do, for the differential tests.
//
// Standard input: a JSON array of texts in base64. Standard output: a JSON array with what becomes of each, as the text
// of the parameter "objects" and as a file of manifests.
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"log"
	"os"

	"gopkg.in/yaml.v3"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
)

// The shape into which the official provider decodes the parameter.
type stringArray struct {
	Array []string `yaml:"array"`
}

// The shape into which it decodes each element.
type keyVaultObject struct {
	Name           string `yaml:"objectName" json:"objectName"`
	Alias          string `yaml:"objectAlias" json:"objectAlias"`
	Version        string `yaml:"objectVersion" json:"objectVersion"`
	VersionHistory int32  `yaml:"objectVersionHistory" json:"objectVersionHistory"`
	Type           string `yaml:"objectType" json:"objectType"`
	Format         string `yaml:"objectFormat" json:"objectFormat"`
	Encoding       string `yaml:"objectEncoding" json:"objectEncoding"`
	Permission     string `yaml:"filePermission" json:"filePermission"`
}

type item struct {
	Error  string          `json:"error,omitempty"`
	Object *keyVaultObject `json:"object,omitempty"`
}

type result struct {
	// The text as the parameter: why it cannot be read, its elements, and what each of them is.
	ObjectsError string   `json:"objectsError,omitempty"`
	Array        []string `json:"array"`
	Items        []item   `json:"items"`
	// The text as one element.
	Item item `json:"item"`
	// The text as a file of manifests: why it cannot be read, or its documents.
	ManifestError string            `json:"manifestError,omitempty"`
	Documents     []json.RawMessage `json:"documents"`
}

func readItem(text string) item {
	var object keyVaultObject
	if err := unmarshal([]byte(text), &object); err != nil {
		return item{Error: err.Error()}
	}
	return item{Object: &object}
}

// The reader panics on some texts, and the official provider dies of it.
func unmarshal(text []byte, into any) (err error) {
	defer func() {
		if recovered := recover(); recovered != nil {
			err = errors.New("panic")
		}
	}()
	return yaml.Unmarshal(text, into)
}

func readManifests(text []byte) (documents []json.RawMessage, err error) {
	defer func() {
		if recovered := recover(); recovered != nil {
			err = errors.New("panic")
		}
	}()
	decoder := utilyaml.NewYAMLOrJSONDecoder(bufio.NewReader(bytes.NewReader(text)), 4096)
	for {
		var document json.RawMessage
		if err := decoder.Decode(&document); err == io.EOF {
			return documents, nil
		} else if err != nil {
			return nil, err
		}
		documents = append(documents, document)
	}
}

func read(text []byte) result {
	answer := result{Array: []string{}, Items: []item{}, Documents: []json.RawMessage{}, Item: readItem(string(text))}
	var objects stringArray
	if err := unmarshal(text, &objects); err != nil {
		answer.ObjectsError = err.Error()
	} else {
		for _, element := range objects.Array {
			answer.Array = append(answer.Array, element)
			answer.Items = append(answer.Items, readItem(element))
		}
	}
	if documents, err := readManifests(text); err != nil {
		answer.ManifestError = err.Error()
	} else {
		answer.Documents = append(answer.Documents, documents...)
	}
	return answer
}

func main() {
	var texts [][]byte
	if err := json.NewDecoder(os.Stdin).Decode(&texts); err != nil {
		log.Fatal(err)
	}
	answers := make([]result, 0, len(texts))
	for _, text := range texts {
		answers = append(answers, read(text))
	}
	if err := json.NewEncoder(os.Stdout).Encode(answers); err != nil {
		log.Fatal(err)
	}
}
