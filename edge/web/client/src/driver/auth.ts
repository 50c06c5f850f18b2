/** Log-in, and renewal by the refresh cookie (browsers) or the refresh token itself (programs). */

import type { Auth } from "../ports";
import type { Session, User } from "../wire/rest";
import { call } from "./rest";

export interface Registration {
  username: string;
  email: string;
  password: string;
  displayName?: string;
}

/** One log-in. Renewals at the same time are one call. */
export class Account implements Auth {
  user: User | null = null;
  /** Only where there are no cookies: browsers keep it out of reach of scripts. */
  private refreshToken: string | null = null;
  private renewing: Promise<{ token: string; expiresInMs: number }> | null = null;
  /** Of a log-in that was not used yet. */
  private fresh: { token: string; expiresInMs: number } | null = null;

  constructor(
    private readonly base: string,
    private readonly http: typeof fetch,
    private readonly options: { keepRefreshToken: boolean } = { keepRefreshToken: false },
  ) {}

  async register(registration: Registration): Promise<User> {
    return this.take(await call<Session>(this.http, `${this.base}/api/auth/register`, "POST", { body: registration }));
  }

  async login(login: string, password: string): Promise<User> {
    return this.take(await call<Session>(this.http, `${this.base}/api/auth/login`, "POST", { body: { login, password } }));
  }

  renew(): Promise<{ token: string; expiresInMs: number }> {
    const { fresh } = this;
    this.fresh = null;
    if (fresh) return Promise.resolve(fresh);
    this.renewing ??= this.refresh().finally(() => {
      this.renewing = null;
    });
    return this.renewing;
  }

  /** Ends this log-in on the server; what is stored is the caller's to wipe. */
  async logout(token: string): Promise<void> {
    await call(this.http, `${this.base}/api/auth/logout`, "POST", { token });
    this.user = this.refreshToken = this.fresh = null;
  }

  private async refresh(): Promise<{ token: string; expiresInMs: number }> {
    const body = this.refreshToken === null ? {} : { refreshToken: this.refreshToken };
    const session = await call<Session>(this.http, `${this.base}/api/auth/refresh`, "POST", { body });
    this.take(session);
    this.fresh = null;
    return { token: session.token, expiresInMs: session.expiresIn * 1000 };
  }

  private take(session: Session): User {
    if (this.options.keepRefreshToken) this.refreshToken = session.refreshToken;
    this.fresh = { token: session.token, expiresInMs: session.expiresIn * 1000 };
    this.user = session.user;
    return session.user;
  }
}
