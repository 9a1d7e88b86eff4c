/** Small runs as the kernel sends them, told event by event. Each is a tenth of a second after the one before. */

export type Json = Record<string, unknown>;

export const CARD: Json = { name: 'papers', type: 'list', length: 3, schema: 'list of 3 str' };

export class Story {
  readonly events: Json[] = [];

  constructor(query = 'Which papers disagree?', settings: Json = { max_calls: 50, max_turns: 20 }) {
    this.tell('run_started', {
      run_id: 'papers-1',
      query,
      started: '2026-01-02T03:04:05+00:00',
      version: '1.0',
      mode: 'scripted',
      isolation: 'worker',
      settings,
      context: CARD
    });
  }

  tell(type: string, fields: Json): this {
    const seq = this.events.length;
    this.events.push({ type, seq, t: seq / 10, ...fields });
    return this;
  }

  rlm(id: string, prompt = 'Which papers disagree?', more: Json = {}): this {
    return this.start(id, 'rlm', 'big', prompt, more);
  }

  llm(id: string, prompt: string, more: Json = {}): this {
    return this.start(id, 'llm', 'small', prompt, more);
  }

  /** So many plain requests at once, submitted by that turn of the root. */
  batch(size: number, turn = 1, first = 1): this {
    for (let index = 0; index < size; index += 1) {
      const batch = { id: `0.${String(turn)}.${String(first)}`, index, size };
      const site = { block: 1, line: 1, code: 'parts = llm_query_batched(prompts)' };
      this.llm(`0.${String(turn)}.${String(first + index)}`, `Sum up ${String(index + 1)}`, { batch, site });
    }
    return this;
  }

  ask(id: string, turn: number, ...contents: string[]): this {
    const messages = contents.map(content => ({ role: 'user', content }));
    return this.tell('model_asked', { call_id: id, turn, messages });
  }

  reply(id: string, turn: number, text: string, more: Json = {}): this {
    const usage = { requests: 1, input_tokens: 100, output_tokens: 10 };
    const fixed = { model: 'small', mode: 'scripted', seconds: 0.1, request_hash: `${id}/${String(turn)}` };
    return this.tell('model_replied', { call_id: id, turn, text, ...fixed, usage, ...more });
  }

  code(id: string, turn: number, code: string, more: Json = {}): this {
    return this.tell('code_executed', { call_id: id, turn, block: 1, code, ...more });
  }

  finish(id: string, status = 'finished', more: Json = {}): this {
    return this.tell('call_finished', { call_id: id, status, ...more });
  }

  end(answer = '1 and 3'): this {
    return this.finish('0', 'finished', { answer, how: 'answer' }).tell('run_finished', {
      status: 'finished',
      answer
    });
  }

  bundle(more: Json = {}): Json {
    return { format: 1, run: 'papers-1', events: this.events, ...more };
  }

  private start(id: string, kind: string, model: string, prompt: string, more: Json): this {
    const depth = (id.split('.').length - 1) / 2;
    return this.tell('call_started', { call_id: id, kind, depth, model, prompt, ...more });
  }
}

/** A run of three turns: a batch of four of which one fails, a child that asks once, the answer. */
export function threeTurns(): Story {
  const failed = { type: 'ServerFailed', message: '500 after 3 retries' };
  const story = new Story();
  story
    .rlm('0', 'Which papers disagree?', { context: CARD })
    .ask('0', 1, 'system', 'Which?')
    .reply('0', 1, 'I look.\n```repl\nparts\n```')
    .batch(4);
  for (const id of ['0.1.2', '0.1.1', '0.1.4']) {
    story.reply(id, 1, `the sum of ${id}`).finish(id);
  }
  story.finish('0.1.3', 'failed', { error: failed });
  story.code('0', 1, 'parts = llm_query_batched(prompts)', { stdout: '3 of 4\n', shown: '3 of 4\n' });
  story.ask('0', 2, 'Block 1 printed').reply('0', 2, '```repl\nchild\n```');
  story.rlm('0.2.1', 'Check paper 1', { site: { block: 1, line: 2, code: 'rlm_query("Check paper 1")' } });
  story.ask('0.2.1', 1, 'system').reply('0.2.1', 1, '```repl\nFINAL\n```').llm('0.2.1.1.1', 'Is it true?');
  story.reply('0.2.1.1.1', 1, 'no').finish('0.2.1.1.1').code('0.2.1', 1, 'FINAL(llm_query("Is it true?"))');
  story.finish('0.2.1', 'finished', { answer: 'no', how: 'FINAL' });
  const boom = { type: 'KeyError', message: "'x'" };
  story.code('0', 2, 'import json\nx = rlm_query("Check paper 1")', { error: boom });
  story.ask('0', 3, 'Block 1 failed').reply('0', 3, '```repl\nFINAL\n```').code('0', 3, 'FINAL("1 and 3")');
  return story.end();
}
