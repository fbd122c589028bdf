// One scene with fal's own JavaScript client, unmodified; what it saw goes to stdout as one JSON object.
//
// The plan comes as JSON in the first argument: {url, key, scene, file}. A request middleware, which the client offers
// for this, turns fal's hosts into the server that is tested; everything else is as a user has it.

import { createHash } from "node:crypto";
import { openAsBlob } from "node:fs";
import { readFile } from "node:fs/promises";
import { createFalClient } from "@fal-ai/client";

const plan = JSON.parse(process.argv[2]);
const APP = "fal-ai/ace-step";
const SONG = { tags: "lofi", duration: 5, seed: 7 };
const HOSTS = { "queue.fal.run": "", "fal.run": "/run", "rest.fal.ai": "" };
const strangers = [];

const clientWith = (credentials) =>
  createFalClient({
    credentials,
    requestMiddleware: async (request) => {
      const { host, pathname, search } = new URL(request.url);
      if (!(host in HOSTS)) strangers.push(host);
      return { ...request, url: `${plan.url}${HOSTS[host]}${pathname}${search}` };
    },
  });
const client = clientWith(plan.key);

async function refused(promise) {
  try {
    return { answer: (await promise) ?? null };
  } catch (error) {
    return { name: error.constructor.name, status: error.status, message: error.message, body: error.body };
  }
}

async function collected(stream) {
  const events = [];
  for await (const event of stream) events.push(event);
  return events;
}

async function untilRunning(requestId) {
  for (const until = Date.now() + 10_000; Date.now() < until; await new Promise((done) => setTimeout(done, 20))) {
    const status = await client.queue.status(APP, { requestId, logs: true });
    if (status.status !== "IN_QUEUE") return status;
  }
  throw new Error("it never ran");
}

const submit = (input, more = {}) => client.queue.submit(APP, { input, ...more });
const streamed = async (requestId) =>
  collected(await client.queue.streamStatus(APP, { requestId, logs: true, connectionMode: "server" }));

const scenes = {
  async life() {
    const holding = await submit({ tags: "hold", duration: 5 });
    const held = await untilRunning(holding.request_id);
    const waiting = await submit({ tags: "first", duration: 5 }, { priority: "normal", hint: "h" });
    const ticket = await submit({ ...SONG, tags: "slow", seed: null }, { startTimeout: 30 });
    const requestId = ticket.request_id;
    const queued = [];
    for (const one of [waiting, ticket]) queued.push(await client.queue.status(APP, { requestId: one.request_id, logs: true }));
    const early = await refused(client.queue.result(APP, { requestId }));
    const watching = streamed(requestId);
    await client.queue.cancel(APP, { requestId: holding.request_id });
    const events = await watching;
    return {
      held, ticket, queued, early, events,
      polled: await client.queue.status(APP, { requestId, logs: true }),
      bare: await client.queue.status(APP, { requestId }),
      song: await client.queue.result(APP, { requestId }),
      cancelled: await refused(client.queue.result(APP, { requestId: holding.request_id })),
    };
  },

  async calls() {
    const [polled, told] = [[], []];
    const ids = [];
    const input = { ...SONG, tags: "slow" };
    const options = { input, logs: true, onEnqueue: (id) => ids.push(id) };
    const subscribed = await client.subscribe(APP, { ...options, pollInterval: 20, onQueueUpdate: (s) => polled.push(s) });
    const followed = await client.subscribe(APP, {
      ...options, mode: "streaming", connectionMode: "server", onQueueUpdate: (status) => told.push(structuredClone(status)),
    });
    const stream = await client.stream(APP, { input, connectionMode: "server" });
    const events = await collected(stream);
    return {
      ids, polled, told, subscribed, followed, events,
      ran: await client.run(`${APP}/prompt-to-audio`, { input: { prompt: "a calm lofi evening", duration: 5, seed: null } }),
      last: await stream.done(),
    };
  },

  async ends() {
    const requestId = (await submit(SONG)).request_id;
    await streamed(requestId);
    const ended = {};
    for (const tags of ["fail", "refuse"]) {
      const { request_id: id } = await submit({ ...SONG, tags });
      const states = await streamed(id);
      ended[tags] = { last: states.at(-1), result: await refused(client.queue.result(APP, { requestId: id })) };
    }
    const bad = { tags: "x", duration: 9999 };
    const unknown = { requestId: "00000000-0000-4000-8000-000000000000" };
    return {
      "cancel of a finished job": await refused(client.queue.cancel(APP, { requestId })),
      "bad field": await refused(submit(bad)),
      "bad field direct": await refused(client.run(APP, { input: bad })),
      "bad field subscribed": await refused(client.subscribe(APP, { input: bad })),
      unknown: [
        await refused(client.queue.status(APP, unknown)),
        await refused(client.queue.result(APP, unknown)),
        await refused(client.queue.cancel(APP, unknown)),
      ],
      "no such endpoint": await refused(client.queue.submit("fal-ai/other", { input: {} })),
      "wrong key": await refused(clientWith("kid:wrong").queue.submit(APP, { input: SONG })),
      ...ended,
    };
  },

  async uploads() {
    const data = await readFile(plan.file);
    const file = new File([data], "song.wav", { type: "audio/wav" });
    const url = await client.storage.upload(file);
    const edit = { audio_url: file, tags: "strings", start_time: 1, end_time: 2, seed: 3 };
    return {
      url,
      same: data.equals(Buffer.from(await (await fetch(url)).arrayBuffer())),
      edited: await client.subscribe(`${APP}/audio-inpaint`, { input: edit, pollInterval: 20 }),
    };
  },

  async multipart() {
    const url = await client.storage.upload(await openAsBlob(plan.file, { type: "audio/wav" }));
    const digest = createHash("sha256");
    let size = 0;
    for await (const piece of (await fetch(url)).body) {
      digest.update(piece);
      size += piece.length;
    }
    return { url, size, sha256: digest.digest("hex") };
  },
};

const saw = await scenes[plan.scene]();
process.stdout.write(JSON.stringify({ ...saw, strangers }));
