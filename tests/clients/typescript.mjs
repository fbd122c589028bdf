// One run of an official TypeScript client against a real server; what it saw goes to stdout as one JSON object.
//
// The plan comes as JSON in the first argument: {sdk: "v1" | "v2", era: "legacy" | "auto", what: "song" | "handles" |
// "cancel", url} or, in place of url, {command, args, env} for stdio.

const plan = JSON.parse(process.argv[2]);

async function parts() {
  if (plan.sdk === "v2") {
    const { Client, StreamableHTTPClientTransport } = await import("@modelcontextprotocol/client");
    const { StdioClientTransport } = await import("@modelcontextprotocol/client/stdio");
    return { Client, StreamableHTTPClientTransport, StdioClientTransport };
  }
  const { Client } = await import("@modelcontextprotocol/sdk/client/index.js");
  const { StreamableHTTPClientTransport } = await import("@modelcontextprotocol/sdk/client/streamableHttp.js");
  const { StdioClientTransport } = await import("@modelcontextprotocol/sdk/client/stdio.js");
  return { Client, StreamableHTTPClientTransport, StdioClientTransport };
}

async function connected() {
  const { Client, StreamableHTTPClientTransport, StdioClientTransport } = await parts();
  const options = plan.era === "auto" ? { versionNegotiation: { mode: "auto" } } : {};
  const client = new Client({ name: "acestep-tests", version: "0" }, options);
  const transport = plan.url
    ? new StreamableHTTPClientTransport(new URL(plan.url))
    : new StdioClientTransport({ command: plan.command, args: plan.args, env: plan.env, stderr: "ignore" });
  await client.connect(transport);
  return client;
}

const call = (client, name, args, options = {}) =>
  plan.sdk === "v2"
    ? client.callTool({ name, arguments: args }, { timeout: 50_000, ...options })
    : client.callTool({ name, arguments: args }, undefined, { timeout: 50_000, ...options });

async function ended(client, jobId) {
  for (const until = Date.now() + 40_000; Date.now() < until; await new Promise((done) => setTimeout(done, 200))) {
    const answer = await call(client, "get_job", { job_id: jobId });
    if (!["NEW", "IN_QUEUE", "IN_PROGRESS"].includes(answer.structuredContent?.status)) return answer;
  }
  throw new Error(`job ${jobId} did not end`);
}

const scenes = {
  async song(client) {
    const progress = [];
    const song = await call(
      client,
      "text_to_audio",
      { tags: "piano, calm", duration: 5, seed: 7 },
      { onprogress: (step) => progress.push(step) },
    );
    const track = song.structuredContent.track;
    const played = await call(client, "play_track", { track_id: track.id });
    const { resources } = await client.listResources();
    const read = [];
    for (const { uri } of resources) {
      const { contents } = await client.readResource({ uri });
      read.push({ uri, mimeType: contents[0].mimeType, bytes: (contents[0].blob ?? contents[0].text).length });
    }
    const { prompts } = await client.listPrompts();
    const texts = [];
    for (const prompt of prompts) {
      const given = Object.fromEntries((prompt.arguments ?? []).map(({ name }) => [name, track.id]));
      const { messages } = await client.getPrompt({ name: prompt.name, arguments: given });
      texts.push({ name: prompt.name, length: messages[0].content.text.length });
    }
    const { completion } = await client.complete({
      ref: { type: "ref/resource", uri: "acestep://tracks/{id}" },
      argument: { name: "id", value: track.id.slice(0, 3) },
    });
    const { resourceTemplates } = await client.listResourceTemplates();
    return { song, progress, played, read, texts, completion, templates: resourceTemplates.map((one) => one.uriTemplate) };
  },

  async handles(client) {
    const first = await call(client, "text_to_audio", { tags: "piano, calm", duration: 5 });
    const source = (await ended(client, first.structuredContent.job_id)).structuredContent.track.id;
    const edit = { audio_url: source, tags: "strings" };
    const handles = {
      text_to_audio: first,
      prompt_to_audio: await call(client, "prompt_to_audio", { prompt: "a quiet morning", duration: 240 }),
      audio_to_audio: await call(client, "audio_to_audio", { ...edit, original_tags: "piano, calm" }),
      audio_inpaint: await call(client, "audio_inpaint", { ...edit, start_time: 1, end_time: 3 }),
      audio_outpaint: await call(client, "audio_outpaint", { ...edit, extend_after_duration: 100 }),
    };
    const cancelled = {};
    for (const [tool, { structuredContent }] of Object.entries(handles)) {
      cancelled[tool] = (await call(client, "cancel_job", { job_id: structuredContent.job_id })).structuredContent;
    }
    return { handles, cancelled };
  },

  async cancel(client) {
    const stop = new AbortController();
    const args = { tags: "orchestra", duration: 30, seed: 11 };
    let refused;
    try {
      await call(client, "text_to_audio", args, {
        signal: stop.signal,
        onprogress: ({ message }) => message === "preparing" || stop.abort("the user pressed stop"),
      });
    } catch (error) {
      refused = String(error?.message ?? error);
    }
    const { jobs } = (await call(client, "get_job", {})).structuredContent;
    const last = await ended(client, jobs[0].job_id);
    return { refused, status: last.structuredContent.status, isError: last.isError ?? false };
  },
};

const client = await connected();
try {
  const { tools } = await client.listTools();
  const saw = await scenes[plan.what](client);
  const server = client.getServerVersion();
  const version = client.getNegotiatedProtocolVersion?.() ?? null;
  process.stdout.write(JSON.stringify({ server, version, tools: tools.map(({ name }) => name), ...saw }));
} finally {
  await client.close();
}
