/** What stands in front of the program, as a proxy does: a test changes what is answered, or lets nothing through. */
import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from 'node:http'
import { connect, type Socket } from 'node:net'
import { onTestFinished } from 'vitest'

type Change = (path: string, body: string) => { status?: number; body: string } | undefined

export class Front {
  /** Another answer than the program's; `undefined`: that one. */
  change: Change = () => undefined
  /** Calls by their path. */
  readonly asked: string[] = []
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  /** Both ends of each socket that was passed on. */
  readonly #pairs = new Set<[Socket, Socket]>()
  #isOpen = true

  private constructor(public behind: string) {
    this.#server = createServer((call, answer) => this.#pass(call, answer))
    this.#server.on('connection', (socket: Socket) => {
      if (!this.#isOpen) return socket.destroy()
      this.#sockets.add(socket)
      socket.on('close', () => this.#sockets.delete(socket)).on('error', () => undefined)
    })
    this.#server.on('upgrade', (call: IncomingMessage, socket: Socket, head: Buffer) => {
      const { hostname, port } = new URL(this.behind)
      const other = connect(Number(port), hostname, () => {
        const headers = call.rawHeaders.reduce((text, field, at) => text + field + (at % 2 === 0 ? ': ' : '\r\n'), '')
        other.write(`${call.method} ${call.url} HTTP/1.1\r\n${headers}\r\n`)
        other.write(head)
        other.pipe(socket).pipe(other)
      })
      this.#pairs.add([other, socket])
      const end = () => [other, socket].forEach((side) => side.destroy())
      for (const side of [other, socket]) side.on('error', end).on('close', end)
    })
  }

  static async to(behind: string): Promise<Front> {
    const made = new Front(behind)
    await new Promise<void>((resolve) => made.#server.listen(0, '127.0.0.1', resolve))
    onTestFinished(() => made.#end())
    return made
  }

  get url(): string {
    const address = this.#server.address()
    return `http://127.0.0.1:${typeof address === 'object' && address ? address.port : 0}`
  }

  /** As a server that is gone: every connection ends, and none is taken. */
  close(): void {
    this.#isOpen = false
    for (const socket of this.#sockets) socket.destroy()
  }

  /** The sockets of now carry nothing any more, and neither end learns of it, as after a network address is gone. */
  mute(): void {
    for (const [other, socket] of this.#pairs) {
      other.unpipe(socket)
      socket.unpipe(other)
    }
  }

  reopen(): void {
    this.#isOpen = true
  }

  #pass(call: IncomingMessage, answer: ServerResponse): void {
    const path = call.url ?? '/'
    this.asked.push(path)
    // Bodies are changed as text, and whole.
    const { 'accept-encoding': _, 'if-none-match': __, ...headers } = call.headers
    const passed = request(this.behind + path, { method: call.method, headers }, (theirs) => {
      const parts: Buffer[] = []
      theirs.on('data', (part: Buffer) => parts.push(part)).on('end', () => {
        const bytes = Buffer.concat(parts)
        const changed = this.change(path, bytes.toString())
        const { 'content-length': length, 'transfer-encoding': _, etag, ...others } = theirs.headers
        const kept = changed ? others : { ...others, ...(etag && { etag }), ...(length && { 'content-length': length }) }
        answer.writeHead(changed?.status ?? theirs.statusCode ?? 500, kept)
        answer.end(changed ? changed.body : bytes)
      })
    })
    passed.on('error', () => answer.destroy())
    call.pipe(passed)
  }

  #end(): void {
    this.close()
    this.#server.close()
  }
}
