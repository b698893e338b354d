// Fetches and decodes beside the page, so that scrolling never waits for a picture.
import { fetchGray } from "./png";

interface Port { onmessage: ((event: MessageEvent<{ no: number; url: string }>) => void) | null; postMessage: (message: unknown, transfer?: Transferable[]) => void }
const port = self as unknown as Port;

port.onmessage = ({ data: { no, url } }) => {
  fetchGray(new URL(url, location.origin).href)
    .then((gray) => port.postMessage({ no, gray }, [gray.values.buffer]))
    .catch((error: Error) => port.postMessage({ no, fault: error.message }));
};
