// Asks the flag-evaluator whether a flag is on. One file, no dependencies: Node 18 and later, Deno, Bun, browsers, Workers.
//
//   const flags = new FlagClient({ url: "https://abc.execute-api.eu-west-1.amazonaws.com/feature-flags" });
//   const search = await flags.evaluate("new-search", { user_id: user.id, country: "AT" });
//   if (search.enabled) { ... }
//
// A flag must never be why a page is not served: whatever happens, there is an answer, in bounded time. It is the service's,
// else the last one that the service gave to the same question, else the caller's own fallback.
//
// The API asks for IAM by default. Give a `fetch` that signs, for example that of aws4fetch:
//   const aws = new AwsClient({ accessKeyId, secretAccessKey, sessionToken, service: "execute-api", region });
//   new FlagClient({ url, fetch: (input, init) => aws.fetch(input, init) });

/** Null is the same as leaving the attribute out. Send ids past 2^53 as texts. */
export type Context = Readonly<Record<string, string | number | boolean | null>>;

/** What the caller does when nobody can be asked. */
export interface Fallback {
  readonly enabled: boolean;
  readonly variant: string | null;
}

export interface Answer extends Fallback {
  /** A sentence for people. Its words may change: do not compare them. */
  readonly reason: string;
  /** Who answers: the service now, the service earlier, or the caller's fallback. */
  readonly from: "service" | "kept" | "fallback";
}

export interface Flag {
  readonly flag_key: string;
  readonly enabled: boolean;
  readonly variants: readonly string[];
  readonly description?: string;
}

export interface Options {
  /** Where the API is: the output `FlagApiUrl` of the suite, which ends with `/feature-flags`. */
  readonly url: string;
  /** How long a request may take. */
  readonly timeoutMs?: number;
  /** How many answers are kept for when the service is away. */
  readonly keptMax?: number;
  readonly fetch?: (input: string, init: RequestInit) => Promise<Response>;
  /** Told why the service did not answer. Without it nobody notices a misspelt URL. */
  readonly onProblem?: (problem: Error) => void;
}

/** What the service answers with instead of an answer. */
export class Refused extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
  ) {
    super(`${status} ${code}: ${message}`);
    this.name = "Refused";
  }
}

const OFF: Fallback = { enabled: false, variant: null };

export class FlagClient {
  readonly #url: string;
  readonly #timeoutMs: number;
  readonly #keptMax: number;
  readonly #fetch: (input: string, init: RequestInit) => Promise<Response>;
  readonly #onProblem: (problem: Error) => void;
  /** The last good answers, by question; the oldest first. */
  readonly #kept = new Map<string, Answer>();
  #listed: { readonly etag: string; readonly flags: readonly Flag[] } | undefined;

  constructor(options: Options) {
    this.#url = options.url.replace(/\/+$/, "");
    this.#timeoutMs = options.timeoutMs ?? 500;
    this.#keptMax = options.keptMax ?? 1_000;
    this.#fetch = options.fetch ?? ((input, init) => fetch(input, init));
    this.#onProblem = options.onProblem ?? (() => undefined);
  }

  /** Never throws. A flag that the document does not have is off. */
  async evaluate(flagKey: string, context: Context, fallback: Fallback = OFF): Promise<Answer> {
    try {
      const body = await this.#post("/evaluate", { flag_key: flagKey, context });
      return this.#keep(flagKey, context, evaluationOf(body));
    } catch (error) {
      this.#tell(error);
      return this.#without(flagKey, context, fallback);
    }
  }

  /** Several flags in one request, in the order of their keys. Never throws. */
  async evaluateAll(
    flagKeys: readonly string[],
    context: Context,
    fallback: Readonly<Record<string, Fallback>> = {},
  ): Promise<Map<string, Answer>> {
    const answers = new Map<string, Answer>();
    try {
      const body = await this.#post("/evaluate-batch", { flag_keys: flagKeys, context });
      for (const one of listOf(body, "evaluations")) {
        const evaluation = evaluationOf(one);
        answers.set(evaluation.flag_key, this.#keep(evaluation.flag_key, context, evaluation));
      }
    } catch (error) {
      this.#tell(error);
    }
    return new Map(
      flagKeys.map((key) => [key, answers.get(key) ?? this.#without(key, context, fallback[key] ?? OFF)]),
    );
  }

  /** Which flags there are; downloaded again only if they changed. Throws if the service is away and none are known. */
  async list(): Promise<readonly Flag[]> {
    const known = this.#listed;
    try {
      const headers: Record<string, string> = known ? { "if-none-match": known.etag } : {};
      const response = await this.#send("", { method: "GET", headers });
      if (response.status === 304 && known) {
        return known.flags;
      }
      const flags = listOf(await bodyOf(response), "flags") as unknown as readonly Flag[];
      const etag = response.headers.get("etag");
      this.#listed = etag === null ? undefined : { etag, flags };
      return flags;
    } catch (error) {
      this.#tell(error);
      if (known) {
        return known.flags;
      }
      throw error;
    }
  }

  async #post(path: string, body: unknown): Promise<unknown> {
    const headers = { "content-type": "application/json" };
    return bodyOf(await this.#send(path, { method: "POST", headers, body: JSON.stringify(body) }));
  }

  #send(path: string, init: RequestInit): Promise<Response> {
    // The signal ends the reading of the body too.
    return this.#fetch(this.#url + path, { ...init, signal: AbortSignal.timeout(this.#timeoutMs) });
  }

  #keep(flagKey: string, context: Context, evaluation: Evaluation): Answer {
    const { enabled, variant, reason } = evaluation;
    const question = questionOf(flagKey, context);
    // Set anew, so that it is the youngest.
    this.#kept.delete(question);
    this.#kept.set(question, { enabled, variant, reason, from: "kept" });
    const [oldest] = this.#kept.keys();
    if (this.#kept.size > this.#keptMax && oldest !== undefined) {
      this.#kept.delete(oldest);
    }
    return { enabled, variant, reason, from: "service" };
  }

  #without(flagKey: string, context: Context, fallback: Fallback): Answer {
    const reason = "the flags could not be asked";
    return this.#kept.get(questionOf(flagKey, context)) ?? { ...fallback, reason, from: "fallback" };
  }

  #tell(error: unknown): void {
    this.#onProblem(error instanceof Error ? error : new Error(String(error)));
  }
}

interface Evaluation extends Fallback {
  readonly flag_key: string;
  readonly reason: string;
}

/** The same question whichever way round its attributes stand. */
function questionOf(flagKey: string, context: Context): string {
  const attributes = Object.entries(context).filter(([, value]) => value !== null);
  return JSON.stringify([flagKey, attributes.sort(([one], [other]) => (one < other ? -1 : 1))]);
}

async function bodyOf(response: Response): Promise<unknown> {
  const body: unknown = await response.json().catch(() => undefined);
  if (response.ok) {
    return body;
  }
  const { error, message } = (body ?? {}) as { error?: unknown; message?: unknown };
  throw new Refused(response.status, String(error ?? "unknown"), String(message ?? response.statusText));
}

function listOf(body: unknown, name: string): readonly unknown[] {
  const list = (body as Record<string, unknown> | null | undefined)?.[name];
  if (!Array.isArray(list)) {
    throw new Error(`the answer has no ${name}`);
  }
  return list;
}

function evaluationOf(body: unknown): Evaluation {
  const { flag_key, enabled, variant, reason } = (body ?? {}) as Record<string, unknown>;
  if (typeof flag_key !== "string" || typeof enabled !== "boolean" || typeof reason !== "string") {
    throw new Error("the answer is no evaluation");
  }
  return { flag_key, enabled, variant: typeof variant === "string" ? variant : null, reason };
}
