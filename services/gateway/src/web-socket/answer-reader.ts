import type { Done, RunEntry } from '@youworker/contracts/agent/run-log'
import type { Speak } from '../audio/voice.ts'
import type { EntrySource } from '../streams/entry-source.ts'
import { RunReader, type RunReaderOptions } from '../streams/run-reader.ts'
import { audioFrame, entryFrame, logFrame, now, statusFrame } from './chat-frames.ts'
import type { FrameSender } from './frame-sender.ts'

interface ReadOptions extends Omit<RunReaderOptions, 'signal'> {
  readonly source: EntrySource
  readonly speak?: Speak | undefined
  readonly onEntry?: () => void
}

function sendEntry(sender: FrameSender, run_id: string, entry: RunEntry, read: () => Promise<RunEntry | undefined>): void {
  const timestamp = now()
  const again = async () => {
    const found = await read()
    return found && entryFrame(run_id, found, timestamp)
  }
  sender.send(entryFrame(run_id, entry, timestamp), again)
}

interface DoneEntry {
  readonly n: number
  readonly done: Done
}

/** Sends the entries of runs over one socket. */
export class AnswerReader {
  readonly #sender: FrameSender
  /** Aborts when the socket is closed. */
  readonly #signal: AbortSignal
  readonly #reading = new Set<string>()

  constructor(sender: FrameSender, signal: AbortSignal) {
    this.#sender = sender
    this.#signal = signal
  }

  /** Ids of the runs that are being read. */
  get reading(): ReadonlySet<string> {
    return this.#reading
  }

  /** Resolves when the client has been sent all of it, or is gone. With `speak` the answer is spoken before its `done`. */
  async read(run_id: string, { source, onEntry, speak, ...from }: ReadOptions): Promise<void> {
    const sender = this.#sender
    this.#reading.add(run_id)
    let end: DoneEntry | undefined
    const writer = {
      get isFull() {
        return sender.isFull
      },
      write(entry: RunEntry, read: () => Promise<RunEntry | undefined>) {
        if (speak && entry.body.event === 'done') end = { n: entry.n, done: entry.body.data }
        else sendEntry(sender, run_id, entry, read)
        onEntry?.()
      },
      drained: () => sender.drained(),
      onOutage: () => sender.answer(statusFrame(run_id, 'reconnecting')),
    }
    try {
      await new RunReader(source, writer, { ...from, signal: this.#signal }).run()
      if (end && speak) await this.#sendSpoken(run_id, end, speak)
    } finally {
      this.#reading.delete(run_id)
    }
  }

  async #sendSpoken(run_id: string, { n, done }: DoneEntry, speak: Speak): Promise<void> {
    const sender = this.#sender
    sender.answer(statusFrame(run_id, 'speaking'))
    using spoken = await speak(done, this.#signal)
    const { logs, audio_b64 } = spoken.done
    // Others may have written before this one.
    while (sender.isFull) await sender.drained()
    for (const note of logs.slice(done.logs.length)) sender.send(logFrame(run_id, note))
    if (audio_b64 !== undefined) sender.sendSpoken(audioFrame(run_id, spoken.done))
    await sender.drained()
    sender.send(entryFrame(run_id, { n, body: { event: 'done', data: { ...done, logs } } }))
  }
}
