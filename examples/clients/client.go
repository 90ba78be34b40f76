// Needs Go 1.18 and nothing else. Usage: go run client.go http://localhost:8081
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"
)

type User struct {
	Name       string `json:"name"`
	Age        int    `json:"age"`
	Occupation string `json:"occupation"`
}

// call repeats 503 after Retry-After, five times at most.
func call(method, url, etag, mediaType, body string) (int, http.Header, string) {
	for attempt := 0; ; attempt++ {
		request, err := http.NewRequest(method, url, strings.NewReader(body))
		if err != nil {
			log.Fatal(err)
		}
		request.Header.Set("Content-Type", mediaType)
		if etag != "" {
			request.Header.Set("If-Match", etag)
		}
		answer, err := http.DefaultClient.Do(request)
		if err != nil {
			log.Fatal(err)
		}
		text, err := io.ReadAll(answer.Body)
		answer.Body.Close()
		if err != nil {
			log.Fatal(err)
		}
		if answer.StatusCode != 503 || attempt == 5 {
			return answer.StatusCode, answer.Header, string(text)
		}
		seconds, err := strconv.Atoi(answer.Header.Get("Retry-After"))
		if err != nil || seconds > 30 {
			seconds = 30
		}
		time.Sleep(time.Duration(seconds) * time.Second)
	}
}

// increment changes a user so that no other client's change is lost.
func increment(url string) {
	for attempt := 0; attempt < 100; attempt++ {
		_, headers, text := call("GET", url, "", "", "")
		var user User
		if err := json.Unmarshal([]byte(text), &user); err != nil {
			log.Fatal(err)
		}
		user.Age++
		body, _ := json.Marshal(user)
		status, _, text := call("PUT", url, headers.Get("ETag"), "application/json", string(body))
		if status == 200 {
			return
		}
		if status != 412 {
			log.Fatal(text)
		} // After 412 another client was faster: read again.
	}
	log.Fatal("gave up")
}

func main() {
	base := os.Args[1]
	user := base + "/users/" + url.PathEscape("Go")
	if status, _, text := call("PUT", user, "", "application/json", `{"age": 0, "occupation": "Counter"}`); status != 200 {
		log.Fatal(text)
	}
	_, _, text := call("GET", user, "", "", "")
	fmt.Print(text)
	for i := 0; i < 5; i++ {
		increment(base + "/users/Counter")
	}
	lines := "{\"name\": \"Go 1\", \"age\": 1, \"occupation\": \"Batch\"}\n{\"delete\": \"Go\"}\n"
	_, _, text = call("POST", base+"/users/batch", "", "application/x-ndjson", lines)
	fmt.Print(text)
}
