/** The real program: `natter dev` in a folder of its own, and people who use it. */

import { type ChildProcess, spawn } from "node:child_process";
import { createWriteStream, existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import WebSocket from "ws";

import {
  Account,
  memoryStorage,
  NatterClient,
  type Ports,
  randomText,
  singleTab,
  systemClock,
  webSockets,
} from "../src/index";

const BINARY = process.env["NATTER_BINARY"] ?? fileURLToPath(new URL("../../../../target/debug/natter", import.meta.url));
const START = 60_000;

export class Program {
  private readonly folder = mkdtempSync(join(tmpdir(), "natter-client-"));
  private process: ChildProcess | null = null;
  private port = 0;
  private adminPort = 0;

  get base(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  async start(): Promise<this> {
    if (!existsSync(BINARY)) throw new Error(`${BINARY} is missing: build it with cargo, or name one in NATTER_BINARY`);
    this.port ||= await freePort();
    this.adminPort ||= await freePort();
    const log = createWriteStream(join(this.folder, "log"), { flags: "a" });
    const args = ["dev", "--port", `${this.port}`, "--admin-port", `${this.adminPort}`, "--data-dir", join(this.folder, "data")];
    const child = spawn(BINARY, args, { stdio: ["ignore", "pipe", "pipe"], env: { ...process.env, RATE_LIMITS: "off" } });
    child.stdout.pipe(log);
    child.stderr.pipe(log);
    this.process = child;
    await until(() => this.isReady(), "natter dev is ready", START, () => this.log());
    return this;
  }

  /** As a power cut would end it. */
  async kill(): Promise<void> {
    const child = this.process;
    this.process = null;
    if (!child || child.exitCode !== null) return;
    const gone = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGKILL");
    await gone;
  }

  async stop(): Promise<void> {
    await this.kill();
    // Its nats-server ends by itself, and may write until it has.
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
  }

  log(): string {
    return readFileSync(join(this.folder, "log"), "utf8").split("\n").slice(-25).join("\n");
  }

  private async isReady(): Promise<boolean> {
    if (this.process?.exitCode != null) throw new Error(`natter dev ended:\n${this.log()}`);
    try {
      return (await fetch(`${this.base}/health/ready`)).ok;
    } catch {
      return false;
    }
  }
}

export interface Person {
  account: Account;
  client: NatterClient;
  id: string;
}

/** Registers a user and connects one client. */
export async function person(base: string, name: string, ports: Partial<Ports> = {}): Promise<Person> {
  const account = new Account(base, fetch, { keepRefreshToken: true });
  const username = `${name}-${Math.random().toString(36).slice(2, 8)}`;
  const user = await account.register({ username, email: `${username}@example.org`, password: "correct horse battery" });
  const client = connect(base, account, ports);
  await until(() => client.state.connection.phase === "live", `${name} is live`);
  return { account, client, id: user.id };
}

export function connect(base: string, account: Account, ports: Partial<Ports> = {}): NatterClient {
  const client = new NatterClient({ base, auth: account, ports: { ...nodePorts(), ...ports } });
  void client.start();
  return client;
}

export const nodePorts = (): Ports => ({
  openSocket: webSockets((url, protocol) => new WebSocket(url, protocol) as never),
  fetch,
  clock: systemClock(),
  random: Math.random,
  unique: randomText,
  storage: memoryStorage(),
  tabs: singleTab(),
});

export async function until(
  holds: () => boolean | Promise<boolean>,
  what: string,
  patience = 15_000,
  seen: () => unknown = () => "",
): Promise<void> {
  const end = performance.now() + patience;
  while (!(await holds())) {
    if (performance.now() > end) throw new Error(`${what}: not within ${patience} ms. ${JSON.stringify(seen())}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

const freePort = (): Promise<number> =>
  new Promise((resolve) => {
    const probe = createServer().listen(0, "127.0.0.1", () => {
      const { port } = probe.address() as { port: number };
      probe.close(() => resolve(port));
    });
  });
