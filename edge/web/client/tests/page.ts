/** One page of the client against the model server: what is under way arrives when the test says so. */

import type { Effect, Input } from "../src/core/io";
import { initial, isWelcomed, type State } from "../src/core/state";
import { due, step } from "../src/core/step";
import type { ClientFrame } from "../src/wire/frames";
import type { ModelServer, ServerSocket } from "./server";

type Task = () => void;

export class SimulatedPage {
  state: State;
  now = 0;
  /** What survives the page. */
  private socket: { number: number; server: ServerSocket; up: ClientFrame[]; isOpen: boolean } | null = null;
  /** Answers of HTTP, which arrive in any order. */
  private readonly tasks: Task[] = [];
  private readonly writes: Task[] = [];
  onStep: (state: State) => void = () => undefined;
  private random = 0.5;

  constructor(
    readonly server: ModelServer,
    readonly disk: Map<string, unknown>,
  ) {
    this.state = initial("device");
    const stored = <T>(prefix: string) =>
      [...disk].filter(([key]) => key.startsWith(prefix)).map(([, value]) => structuredClone(value) as T);
    this.input({
      type: "restored",
      meta: stored<never>("meta")[0] ?? null,
      outbox: stored("send/"),
      copies: stored("copy/"),
    });
    this.input({ type: "start" });
  }

  input(input: Input): void {
    this.random = (this.random * 9301 + 0.49297) % 1;
    const { state, effects } = step(this.state, structuredClone(input), { now: this.now, random: this.random });
    this.state = state;
    for (const effect of effects) this.run(effect);
    this.onStep(state);
  }

  command(command: Extract<Input, { type: "command" }>["command"]): void {
    this.input({ type: "command", ref: "test", command });
  }

  private run(effect: Effect): void {
    const { server, disk } = this;
    switch (effect.type) {
      case "open":
        this.socket = {
          number: effect.socket,
          server: { user: server.me, device: "", out: [], isWelcomed: false },
          up: [],
          isOpen: false,
        };
        return;
      case "send":
        if (this.socket?.number === effect.socket) this.socket.up.push(structuredClone(effect.frame));
        return;
      case "close":
        return this.forgetSocket();
      case "renew":
        this.tasks.push(() => this.input({ type: "token", token: "token", expiresInMs: 900_000 }));
        return;
      case "load": {
        const { key, load, what } = effect;
        const body = { value: undefined as unknown };
        // The server answers at one moment, and the answer arrives at another.
        this.tasks.push(() => {
          if ("conversationId" in what && !server.room(what.conversationId).isMember) {
            this.tasks.push(() => this.input({ type: "loadFailed", key, load, code: "not_found" }));
            return;
          }
          body.value =
            what.kind === "list"
              ? server.list()
              : what.kind === "inbox"
                ? server.inbox()
                : what.kind === "conversation"
                ? server.conversation(what.conversationId)
                : server.page(what.conversationId, what.before, what.after);
          this.tasks.push(() => this.input({ type: "loaded", key, load, body: body.value as never }));
        });
        return;
      }
      case "saveSend":
        return this.write(() => {
          disk.set(`send/${effect.entry.clientId}`, structuredClone(effect.entry));
          this.input({ type: "saved", clientId: effect.entry.clientId });
        });
      case "forgetSend":
        return this.write(() => disk.delete(`send/${effect.clientId}`));
      case "saveMeta":
        return this.write(() => disk.set("meta", structuredClone(effect.meta)));
      case "saveCopy":
        return this.write(() => disk.set(`copy/${effect.copy.id}`, structuredClone(effect.copy)));
      case "forgetCopy":
        return this.write(() => disk.delete(`copy/${effect.conversationId}`));
      case "wipe":
        return this.write(() => disk.clear());
      case "answer":
        return;
    }
  }

  /** Storage works in the order in which it is asked, some time later. */
  private write(how: Task): void {
    this.writes.push(how);
  }

  private forgetSocket(): void {
    if (this.socket) this.server.sockets.delete(this.socket.server);
    this.socket = null;
  }

  /** The connection breaks; what the server has received by then it has done, whatever the client knows. */
  cut(code: number, received: number): void {
    const { socket } = this;
    if (!socket) return;
    for (const frame of socket.isOpen ? socket.up.splice(0, received) : []) this.server.take(socket.server, frame);
    this.forgetSocket();
    this.input({ type: "closed", socket: socket.number, code });
  }

  /** One frame of each direction arrives, or the socket opens. */
  deliver(): boolean {
    const { socket } = this;
    if (!socket) return false;
    if (!socket.isOpen) {
      socket.isOpen = true;
      this.input({ type: "opened", socket: socket.number });
      return true;
    }
    const up = socket.up.shift();
    if (up) this.server.take(socket.server, up);
    const down = socket.server.out.shift();
    if (down) this.input({ type: "frame", socket: socket.number, frame: down });
    return up !== undefined || down !== undefined;
  }

  /** Storage, or one answer of HTTP, arrives. */
  answer(index: number): boolean {
    const write = index % 2 === 0 ? this.writes.shift() : undefined;
    if (write) {
      write();
      return true;
    }
    const [task] = this.tasks.splice(index % Math.max(1, this.tasks.length), 1);
    task?.();
    return task !== undefined;
  }

  /** Time passes until the next timer, at most that long. */
  wait(most: number): boolean {
    const at = due(this.state, this.now);
    if (at > this.now + most) {
      this.now += most;
      return false;
    }
    this.now = at;
    this.input({ type: "tick" });
    return true;
  }

  /** Again a socket that is welcomed; what it asks for is not answered yet. */
  connect(): void {
    for (let rounds = 0; rounds < 100 && !isWelcomed(this.state); rounds += 1) {
      if (!this.deliver() && !this.answer(1)) this.wait(20_000);
    }
  }

  /** Everything that is under way arrives; timers run until nothing is left to do but heartbeats. */
  settle(): void {
    this.server.catchUp();
    for (let rounds = 0; rounds < 5_000; rounds += 1) {
      if (this.deliver() || this.answer(0)) continue;
      if (!this.wait(20_000)) return;
    }
    throw new Error(`does not come to rest: ${JSON.stringify(this.state.connection)}`);
  }
}
