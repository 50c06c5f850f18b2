// Registers, sends a message over a socket, goes away and catches up: go run . [http://127.0.0.1:3000]
package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"io"
	"log"
	"net/http"
	"os"
	"strings"

	"github.com/coder/websocket"
)

type object = map[string]any

var base = "http://127.0.0.1:3000"

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func must[T any](value T, err error) T {
	check(err)
	return value
}

func post(path, token string, body object) (made object) {
	request := must(http.NewRequest("POST", base+path, bytes.NewReader(must(json.Marshal(body)))))
	request.Header.Set("Content-Type", "application/json")
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	answer := must(http.DefaultClient.Do(request))
	text := must(io.ReadAll(answer.Body))
	if answer.StatusCode >= 300 {
		log.Fatalf("%s: %s", path, text)
	}
	check(json.Unmarshal(text, &made))
	return made
}

func register(who string) (token string, id any) {
	name := who + "-" + strings.ToLower(rand.Text()[:8])
	account := object{"username": name, "email": name + "@example.org", "password": "correct horse battery"}
	session := post("/api/auth/register", "", account)
	return session["token"].(string), session["user"].(object)["id"]
}

// show opens a socket, sends the requests and shows what comes, until a frame of each of these types has.
func show(types []string, requests ...object) map[string]object {
	ctx, seen := context.Background(), map[string]object{}
	options := &websocket.DialOptions{Subprotocols: []string{"natter.v1"}}
	socket, _, err := websocket.Dial(ctx, strings.Replace(base, "http", "ws", 1)+"/ws", options)
	check(err)
	defer socket.Close(websocket.StatusNormalClosure, "")
	socket.SetReadLimit(1 << 20)
	for _, request := range requests {
		check(socket.Write(ctx, websocket.MessageText, must(json.Marshal(request))))
	}
	for _, kind := range types {
		for seen[kind] == nil {
			_, text, err := socket.Read(ctx)
			check(err)
			os.Stdout.Write(append(text, '\n'))
			frame := object{}
			check(json.Unmarshal(text, &frame))
			seen[frame["type"].(string)] = frame
		}
	}
	return seen
}

func main() {
	if len(os.Args) > 1 {
		base = os.Args[1]
	}
	me, _ := register("me")
	friend, friendID := register("friend")
	direct := object{"type": "direct", "participantIds": []any{friendID}}
	room := post("/api/conversations", me, direct)["id"].(string)

	// The clientId makes it one message, however often it is sent; the ack says that it is kept.
	hello := object{"type": "hello", "token": me, "deviceId": "laptop"}
	send := object{"type": "send", "id": 1, "conversationId": room, "content": "hello", "clientId": rand.Text()}
	seen := show([]string{"ack", "message:new"}, hello, send)

	// What comes meanwhile is not lost: the next socket asks for everything after what this one has seen.
	post("/api/messages", friend, object{"conversationId": room, "content": "are you there?"})
	positions := object{room: seen["message:new"]["seq"]}
	hello["resume"] = object{"epoch": seen["welcome"]["epoch"], "positions": positions}
	show([]string{"resume:done"}, hello)
}
