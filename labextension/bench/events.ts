/** A run as large as wanted: turns of the root that each ask a batch of plain requests, with texts of usual length. */

type Event = Record<string, unknown>;

const PROMPT = 'Which of these papers disagree about scaling laws, and where? '.repeat(4);
const REPLY = 'The third section gives another exponent than the first. '.repeat(2);
const CODE = 'found = llm_query_batched([ask(part) for part in parts])';
const FAILS = 97;

/** The events of a run of so many sub-calls. */
export function eventsOf(calls: number, turns: number): Event[] {
  const events: Event[] = [];
  const tell = (type: string, fields: Event) => {
    events.push({ type, seq: events.length, t: events.length / 1000, ...fields });
  };
  tell('run_started', {
    run_id: 'bench',
    query: 'Which of these papers disagree?',
    started: '2026-01-02T03:04:05+00:00',
    version: '1.0',
    mode: 'scripted',
    isolation: 'worker',
    settings: { max_calls: calls }
  });
  tell('call_started', {
    call_id: '0',
    kind: 'rlm',
    depth: 0,
    model: 'big',
    prompt: 'Which of these papers disagree?'
  });
  for (let turn = 1; turn <= turns; turn += 1) {
    tell('model_asked', { call_id: '0', turn, messages: [{ role: 'user', content: PROMPT }] });
    reply(tell, '0', turn);
    batch(tell, turn, Math.ceil(calls / turns));
    tell('code_executed', {
      call_id: '0',
      turn,
      block: 1,
      code: CODE,
      stdout: 'done\n',
      shown: 'done\n',
      seconds: 1
    });
  }
  tell('call_finished', { call_id: '0', status: 'finished', answer: 'two of them', how: 'answer' });
  tell('run_finished', { status: 'finished', answer: 'two of them' });
  return events;
}

function batch(tell: (type: string, fields: Event) => void, turn: number, size: number): void {
  const ids = Array.from({ length: size }, (_, index) => `0.${String(turn)}.${String(index + 1)}`);
  ids.forEach((id, index) => {
    const place = { id: `0.${String(turn)}.1`, index, size };
    const site = { block: 1, line: 1, code: CODE };
    tell('call_started', {
      call_id: id,
      kind: 'llm',
      depth: 1,
      model: 'small',
      prompt: `Part ${String(index + 1)}. ${PROMPT}`,
      batch: place,
      site
    });
  });
  ids.forEach((id, index) => {
    reply(tell, id, 1);
    tell('call_finished', { call_id: id, status: (index + 1) % FAILS ? 'finished' : 'failed' });
  });
}

function reply(tell: (type: string, fields: Event) => void, id: string, turn: number): void {
  tell('model_replied', {
    call_id: id,
    turn,
    text: REPLY,
    model: 'small',
    mode: 'scripted',
    seconds: 0.1,
    request_hash: `${id}/${String(turn)}`,
    usage: { requests: 1, input_tokens: 100, output_tokens: 10, cost: 0.0001 }
  });
}
