// Needs Go 1.18 and nothing else. Usage: go run client.go http://localhost:8081
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"
)

var asJSON = http.Header{"Content-Type": {"application/json"}}

func must[T any](value T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return value
}

// call repeats 503 after Retry-After, five times at most.
func call(method, url, body string, headers http.Header) (*http.Response, string) {
	for attempt := 0; ; attempt++ {
		request := must(http.NewRequest(method, url, strings.NewReader(body)))
		request.Header = headers
		answer := must(http.DefaultClient.Do(request))
		text := must(io.ReadAll(answer.Body))
		answer.Body.Close()
		seconds, err := strconv.Atoi(answer.Header.Get("Retry-After"))
		if answer.StatusCode != 503 || err != nil || seconds > 30 || attempt == 5 {
			return answer, string(text)
		}
		time.Sleep(time.Duration(seconds) * time.Second)
	}
}

// increment changes a user so that no other client's change is lost.
func increment(url string) {
	for attempt := 0; attempt < 100; attempt++ {
		answer, text := call("GET", url, "", nil)
		var user map[string]any
		must(0, json.Unmarshal([]byte(text), &user))
		user["age"] = user["age"].(float64) + 1
		headers := asJSON.Clone()
		headers.Set("If-Match", answer.Header.Get("ETag"))
		answer, text = call("PUT", url, string(must(json.Marshal(user))), headers)
		if answer.StatusCode == 200 {
			return
		}
		if answer.StatusCode != 412 { // After 412 another client was faster: read again.
			log.Fatal(text)
		}
	}
	log.Fatal("gave up")
}

func main() {
	base := os.Args[1]
	answer, text := call("PUT", base+"/users/Go", `{"age": 0, "occupation": "Counter"}`, asJSON)
	if answer.StatusCode != 200 {
		log.Fatal(text)
	}
	_, text = call("GET", base+"/users/Go", "", nil)
	fmt.Print(text)
	for i := 0; i < 5; i++ {
		increment(base + "/users/Counter")
	}
	lines := "{\"name\": \"Go 1\", \"age\": 1, \"occupation\": \"Batch\"}\n{\"delete\": \"Go\"}\n"
	_, text = call("POST", base+"/users/batch", lines, http.Header{"Content-Type": {"application/x-ndjson"}})
	fmt.Print(text)
}
