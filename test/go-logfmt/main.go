// Reads log lines as Loki does, for the test of the log.
//
// Standard input: a JSON array of lines. Standard output: a JSON array with the fields of each, in order, or its error.
package main

import (
	"encoding/json"
	"log"
	"os"
	"strings"

	"github.com/go-logfmt/logfmt"
)

type result struct {
	Error  string      `json:"error,omitempty"`
	Fields [][2]string `json:"fields"`
}

func read(line string) result {
	decoder := logfmt.NewDecoder(strings.NewReader(line))
	out := result{Fields: [][2]string{}}
	for decoder.ScanRecord() {
		for decoder.ScanKeyval() {
			out.Fields = append(out.Fields, [2]string{string(decoder.Key()), string(decoder.Value())})
		}
	}
	if err := decoder.Err(); err != nil {
		out.Error = err.Error()
	}
	return out
}

func main() {
	var lines []string
	if err := json.NewDecoder(os.Stdin).Decode(&lines); err != nil {
		log.Fatal(err)
	}
	results := make([]result, len(lines))
	for i, line := range lines {
		results[i] = read(line)
	}
	if err := json.NewEncoder(os.Stdout).Encode(results); err != nil {
		log.Fatal(err)
	}
}
