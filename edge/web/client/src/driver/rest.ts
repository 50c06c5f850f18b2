/** Calls over HTTP as one user: with a token that is renewed when it has expired, and errors as their codes. */

import type { Auth } from "../ports";
import type { Problem } from "../wire/rest";

/** A refused call, or one without an answer (`network`). */
export class ApiError extends Error {
  constructor(
    readonly code: string,
    readonly status: number,
    readonly retryAfterMs: number | null,
    readonly problem: Problem | null,
  ) {
    super(problem?.detail ?? code);
    this.name = "ApiError";
  }
}

export interface CallOptions {
  body?: unknown;
  headers?: Record<string, string>;
  token?: string | null;
  signal?: AbortSignal;
}

/** One call, without renewal or repetition. */
export async function call<T>(http: typeof fetch, url: string, method: string, options: CallOptions = {}): Promise<T> {
  const headers: Record<string, string> = { accept: "application/json", ...options.headers };
  if (options.token) headers["authorization"] = `Bearer ${options.token}`;
  if (options.body !== undefined) headers["content-type"] = "application/json";
  let response: Response;
  try {
    response = await http(url, {
      method,
      headers,
      credentials: "include",
      ...(options.body === undefined ? {} : { body: JSON.stringify(options.body) }),
      ...(options.signal ? { signal: options.signal } : {}),
    });
  } catch (error) {
    if (options.signal?.aborted) throw error;
    throw new ApiError("unavailable", 0, null, null);
  }
  if (response.ok) return (response.status === 204 ? undefined : await response.json()) as T;
  throw await refusal(response);
}

async function refusal(response: Response): Promise<ApiError> {
  const seconds = Number(response.headers.get("retry-after") ?? Number.NaN);
  const retryAfterMs = Number.isFinite(seconds) ? seconds * 1000 : null;
  try {
    const problem = (await response.json()) as Problem;
    if (typeof problem.code === "string") return new ApiError(problem.code, response.status, retryAfterMs, problem);
  } catch {
    // A proxy's own page, which does not know what is there and who may see it.
  }
  const code = response.status === 429 ? "rate_limited" : "unavailable";
  return new ApiError(code, response.status, retryAfterMs, null);
}

/** The account's calls. */
export class Rest {
  private token: { value: string; until: number } | null = null;

  constructor(
    private readonly base: string,
    private readonly http: typeof fetch,
    private readonly auth: Auth,
    private readonly now: () => number,
  ) {}

  /** A token that is good now. */
  async renew(): Promise<{ token: string; expiresInMs: number }> {
    const renewed = await this.auth.renew();
    this.token = { value: renewed.token, until: this.now() + renewed.expiresInMs * 0.9 };
    return renewed;
  }

  async call<T>(method: string, path: string, options: CallOptions = {}): Promise<T> {
    const token = this.token && this.now() < this.token.until ? this.token.value : (await this.renew()).token;
    try {
      return await call<T>(this.http, this.base + path, method, { ...options, token });
    } catch (error) {
      const isToken = error instanceof ApiError && (error.code === "token_expired" || error.code === "unauthenticated");
      if (!isToken) throw error;
      // The server's clock counts, not this one.
      const renewed = await this.renew();
      return await call<T>(this.http, this.base + path, method, { ...options, token: renewed.token });
    }
  }
}
