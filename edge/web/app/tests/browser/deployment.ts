/** A deployment of several processes on this machine: nats-server, Redis, one worker, and edges that a test kills. */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort } from './harness'

const program = process.env['NATTER_BINARY'] ?? ''
const PATIENCE = 60_000

export class Deployment {
  readonly #folder = mkdtempSync(join(tmpdir(), 'natter-edges-'))
  readonly #children: ChildProcess[] = []
  #settings: Record<string, string> = {}
  /** A program that could not be started, such as one that is not installed. */
  #failed: Error | undefined
  #said = ''

  static async start(): Promise<Deployment> {
    const made = new Deployment()
    try {
      await made.#start()
    } catch (error) {
      made.stop()
      throw error
    }
    return made
  }

  async #start(): Promise<void> {
    const [nats, redis] = [await freePort(), await freePort()]
    const config = join(this.#folder, 'nats.conf')
    writeFileSync(config, `listen: "127.0.0.1:${nats}"\nmax_payload: 8MB\njetstream { store_dir: "${this.#folder}/nats", max_file_store: 20GB }\n`)
    this.#run('nats-server', ['-c', config])
    this.#run('redis-server', ['--port', String(redis), '--save', '', '--maxmemory-policy', 'noeviction', '--dir', this.#folder])
    this.#settings = {
      NATS_URL: `nats://127.0.0.1:${nats}`,
      REDIS_URL: `redis://127.0.0.1:${redis}`,
      DATABASE_URL: `sqlite:${this.#folder}/natter.db`,
      JWT_SECRET: 'a secret of thirty-two bytes or more',
      PARTITIONS: '1',
      LOG_MAX_BYTES: String(64 * 1024 * 1024),
    }
    // nats-server may not listen yet.
    await this.#until(async () => (await ended(this.#run(program, ['migrate']))) === 0, 'natter migrate')
    const admin = await freePort()
    this.#run(program, ['worker', '--admin-port', String(admin)])
    await this.#until(() => isReady(`http://127.0.0.1:${admin}`), 'the worker')
  }

  /** An edge that is ready. */
  async edge(): Promise<{ url: string; kill: () => Promise<void> }> {
    const port = await freePort()
    const child = this.#run(program, ['edge', '--port', String(port), '--admin-port', '0'])
    const url = `http://127.0.0.1:${port}`
    await this.#until(() => isReady(url), 'an edge')
    const kill = async () => {
      child.kill('SIGKILL')
      await ended(child)
    }
    return { url, kill }
  }

  #run(command: string, args: string[]): ChildProcess {
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...this.#settings } })
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (bytes: Buffer) => (this.#said = (this.#said + bytes).slice(-4_000)))
    child.on('error', (error) => (this.#failed = error))
    this.#children.push(child)
    return child
  }

  async #until(holds: () => Promise<boolean>, what: string): Promise<void> {
    const end = performance.now() + PATIENCE
    while (!(await holds())) {
      if (this.#failed) throw this.#failed
      if (performance.now() > end) throw new Error(`${what} is not ready:\n${this.#said}`)
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
  }

  stop(): void {
    for (const child of this.#children.reverse()) child.kill('SIGKILL')
    rmSync(this.#folder, { recursive: true, force: true, maxRetries: 5 })
  }
}

const ended = (child: ChildProcess): Promise<number | null> =>
  new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) return resolve(child.exitCode)
    child.once('exit', resolve).once('error', () => resolve(null))
  })

const isReady = async (url: string): Promise<boolean> => {
  try {
    return (await fetch(`${url}/health/ready`)).ok
  } catch {
    return false
  }
}
