/** The events of a trace as the front end holds them: what `rlm_kernel/trace/events.py` writes, decoded and checked. */

export type CallKind = 'rlm' | 'llm';
export type Status = 'running' | 'finished' | 'failed' | 'exhausted' | 'interrupted' | 'cut off';
export type Mode = 'live' | 'scripted' | 'demo' | 'human' | 'replayed';
export type Role = 'system' | 'user' | 'assistant';
export type Decision = '' | 'edited' | 'skipped';

/** JSON as it came: kept beside what was made of it, for the raw view and for exports. */
export type Fields = Readonly<Record<string, unknown>>;

export interface Message {
  readonly role: Role;
  readonly content: string;
}

/** What one request used. `cost` is in US dollars, null where unknown, which is never the same as 0. */
export interface Usage {
  readonly requests: number;
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly cachedTokens: number;
  readonly cost: number | null;
  readonly estimated: boolean;
}

export interface ErrorInfo {
  readonly type: string;
  readonly message: string;
  readonly traceback: string;
}

export interface ContextCard {
  readonly name: string;
  readonly type: string;
  readonly length: number | null;
  readonly chars: number | null;
  readonly schema: string;
  readonly preview: string;
  readonly hash: string;
}

export interface BatchPlace {
  readonly id: string;
  readonly index: number;
  readonly size: number;
}

/** The place in the model's code that issued a call; block and line count from 1. */
export interface Site {
  readonly block: number;
  readonly line: number;
  readonly code: string;
  /** The thread of the code, by how it was started; empty for the block's own. */
  readonly lane: string;
}

/** One way in which a step, done again, was not what the record has. */
export interface Divergence {
  readonly what: string;
  readonly recorded: string;
  readonly found: string;
}

export type Derived = 'replay' | 'fork' | 'rerun' | 'resume';

/** What a call gave when it was first made. */
export interface Original {
  readonly prompt: string;
  readonly model: string;
  readonly answer: string | null;
  readonly usage: Usage;
  readonly seconds: number | null;
  readonly error: ErrorInfo | null;
}

/** The run that a run was made from; `at` is the step, empty for the whole run. */
export interface Origin {
  readonly kind: Derived;
  readonly run: string;
  readonly at: string;
  readonly edit: Fields;
  readonly original: Original | null;
}

export interface Variable {
  readonly name: string;
  readonly type: string;
  readonly size: string;
  readonly preview: string;
}

export interface VariableChanges {
  readonly added: readonly Variable[];
  readonly changed: readonly Variable[];
  readonly removed: readonly string[];
}

/** One rich output of a block: MIME type to text, images in base64. */
export interface RichOutput {
  readonly data: Readonly<Record<string, string>>;
}

interface EventBase {
  readonly seq: number;
  /** Seconds since the run began. */
  readonly t: number;
  /** How many of its texts are shortened here. */
  readonly cut: number;
  readonly source: Fields;
}

export interface RunStarted extends EventBase {
  readonly type: 'run_started';
  readonly runId: string;
  readonly query: string;
  readonly started: string;
  readonly version: string;
  readonly mode: Mode;
  readonly isolation: string;
  /** Why it is not a higher one; empty where nothing can be said of that. */
  readonly isolationWhy: string;
  readonly settings: Fields;
  readonly context: ContextCard | null;
  readonly origin: Origin | null;
}

export interface CallStarted extends EventBase {
  readonly type: 'call_started';
  readonly callId: string;
  readonly kind: CallKind;
  readonly depth: number;
  readonly model: string;
  readonly prompt: string;
  readonly context: ContextCard | null;
  readonly batch: BatchPlace | null;
  readonly site: Site | null;
  readonly depthCapped: boolean;
}

export interface ModelAsked extends EventBase {
  readonly type: 'model_asked';
  readonly callId: string;
  readonly turn: number;
  readonly messages: readonly Message[];
  /** Why it was the call's one last turn; empty for all others. */
  readonly last: string;
}

export interface ModelReplied extends EventBase {
  readonly type: 'model_replied';
  readonly callId: string;
  readonly turn: number;
  readonly text: string;
  readonly model: string;
  readonly mode: Mode;
  readonly seconds: number;
  readonly requestHash: string;
  readonly usage: Usage;
  readonly retries: number;
  readonly finishReason: string;
  readonly reasoning: string;
  readonly error: ErrorInfo | null;
  /** Where a replayed reply came from at first. */
  readonly firstMode: Mode | null;
}

/** A block was put before a person, who decides whether it runs. */
export interface BlockHeld extends EventBase {
  readonly type: 'block_held';
  readonly callId: string;
  readonly turn: number;
  readonly block: number;
  readonly code: string;
}

export interface CodeExecuted extends EventBase {
  readonly type: 'code_executed';
  readonly callId: string;
  readonly turn: number;
  readonly block: number;
  readonly code: string;
  readonly stdout: string;
  readonly stderr: string;
  readonly stdoutChars: number;
  /** What went back to the model. */
  readonly shown: string;
  readonly error: ErrorInfo | null;
  readonly variables: VariableChanges;
  readonly outputs: readonly RichOutput[];
  readonly seconds: number;
  /** What a person decided about the block before it ran. */
  readonly decision: Decision;
  /** How it differs from the run that it was replayed from. */
  readonly divergences: readonly Divergence[];
}

/** The server is out, and the whole run waits; told again each time that it was tried in vain. */
export interface RunPaused extends EventBase {
  readonly type: 'run_paused';
  /** Of the one request that tries for all. */
  readonly callId: string;
  readonly turn: number;
  readonly error: ErrorInfo;
  /** When it is tried next, and when the run gives up, in seconds since the run began. */
  readonly retryAt: number;
  readonly until: number;
  readonly tries: number;
}

/** The pause is over: the server answers again, or nobody waits for it any more (then `callId` is empty). */
export interface RunContinued extends EventBase {
  readonly type: 'run_continued';
  readonly callId: string;
  readonly seconds: number;
}

export interface CallFinished extends EventBase {
  readonly type: 'call_finished';
  readonly callId: string;
  readonly status: Status;
  readonly answer: string | null;
  readonly how: string;
  readonly error: ErrorInfo | null;
}

export interface RunFinished extends EventBase {
  readonly type: 'run_finished';
  readonly status: Status;
  readonly answer: string | null;
  readonly error: ErrorInfo | null;
}

export type TraceEvent =
  | RunStarted
  | CallStarted
  | ModelAsked
  | ModelReplied
  | BlockHeld
  | CodeExecuted
  | RunPaused
  | RunContinued
  | CallFinished
  | RunFinished;

/** A trace as a notebook holds it: the events that fitted, and what is missing. */
export interface Bundle {
  readonly run: string;
  readonly live: boolean;
  readonly events: readonly TraceEvent[];
  /** Where the whole trace is on disk, for people; empty when it is not. */
  readonly path: string;
  readonly warning: string;
  readonly cutTexts: number;
  readonly omittedCalls: number;
}
