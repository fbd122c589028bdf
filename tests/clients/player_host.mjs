// A stand-in for a chat that shows MCP Apps: it serves a page whose frame holds the app, and passes its messages to a real server.
import { readFileSync } from "node:fs";

// What the specification says a host does for a resource that declares no domains.
const POLICY = "default-src 'none'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; " +
  "media-src 'self' data:; connect-src 'none'";

// In the page: the host's side of the messages.
function host({ html, policy, theme, variables, capabilities, result, given }) {
  const frame = document.createElement("iframe");
  document.documentElement.classList.toggle("dark", theme === "dark");
  window.saw = { messages: [], sizes: [], order: [] };
  frame.title = "Player";
  frame.setAttribute("sandbox", "allow-scripts");
  frame.style.height = "120px";
  const send = (message) => frame.contentWindow.postMessage({ jsonrpc: "2.0", ...message }, "*");
  window.tell = (method, params) => send({ method, params });
  window.theme = (next) => {
    document.documentElement.classList.toggle("dark", next === "dark");
    window.tell("ui/notifications/host-context-changed", { theme: next });
  };
  const answers = {
    "ui/initialize": () => ({
      protocolVersion: "2026-01-26", hostInfo: { name: "stand-in", version: "1" }, hostCapabilities: capabilities,
      hostContext: { theme, styles: { variables }, displayMode: "inline", containerDimensions: { maxHeight: 500 } },
    }),
    "tools/call": (params) => window.server("tools/call", params),
    "resources/read": (params) => window.server("resources/read", params),
    "ui/message": () => ({}), "ui/open-link": () => ({}), "ui/download-file": () => ({}), "ui/update-model-context": () => ({}),
  };
  addEventListener("message", async ({ source, data }) => {
    if (source !== frame.contentWindow || data?.jsonrpc !== "2.0") return;
    window.saw.order.push(data.method ?? "answer");
    if (data.method === "ui/notifications/size-changed") {
      window.saw.sizes.push(data.params.height);
      frame.style.height = `${data.params.height + 2}px`;
    } else if (data.method === "ui/notifications/initialized") {
      window.tell("ui/notifications/tool-input", { arguments: given });
      window.tell("ui/notifications/tool-result", result);
    } else if (data.id !== undefined && data.method) {
      window.saw.messages.push({ method: data.method, params: data.params });
      try {
        send({ id: data.id, result: await answers[data.method](data.params) });
      } catch (error) {
        const refused = /not for pages/.test(error.message); // a function of Node passes on only an error's message
        send({ id: data.id, error: { code: refused ? -32601 : -32603, message: String(error.message ?? error) } });
      }
    }
  });
  frame.srcdoc = html.replace("<head>", `<head><meta http-equiv="Content-Security-Policy" content="${policy}">`);
  document.getElementById("chat").append(frame);
}

// Open a chat in a page of the browser, with the app of a tool's result in it.
export async function chat(page, { server, html, theme = "light", variables = {}, capabilities, result, given }) {
  await page.exposeFunction("server", server);
  await page.setContent(readFileSync(new URL("player_host.html", import.meta.url), "utf-8"));
  capabilities ??= { serverTools: {}, serverResources: {}, openLinks: {}, downloadFile: {}, message: { text: {} }, updateModelContext: { text: {} } };
  await page.evaluate(host, { html, policy: POLICY, theme, variables, capabilities, result, given });
  return page.frameLocator("iframe");
}
