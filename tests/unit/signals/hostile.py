"""Pods and recorders that answer what nobody should: a process of its own, for it must not take the test's time.

`python hostile.py` prints its port.
"""

from __future__ import annotations

import gzip
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

GOOD = b'# TYPE infer_requests_total counter\ninfer_requests_total{code="200"} 7\ninfer_requests_total{code="500"} 1\n'


def lines(size: int, line: str) -> bytes:
    """A page of about so many bytes. line: with a {} for a number."""
    number = size // (len(line) + 4)
    return "".join(line.format(i) for i in range(number)).encode()


BIG = 4 * 1024 * 1024 - 64 * 1024
PAGES: dict[str, tuple[bytes, str]] = {
    "one label of 3.5 MB": (b'infer_requests_total{a="' + b"x" * 3_500_000 + b'"} 1\n', "TooLarge"),
    "a label that never ends": (b'# x\ninfer_requests_total{a="' + b"x" * BIG, "TooLarge"),
    "nothing but braces": (b"# x\ninfer_requests_total{" * (BIG // 27), "NotMetrics"),
    "very many series": (lines(BIG, 'infer_requests_total{{a="{}"}} 1\n'), "TooSlow"),
    "very many names that begin alike": (lines(BIG, "infer_requests_totals{} 1\n"), "TooSlow"),
    "a pattern that backtracks": (lines(BIG, 'infer_requests_total{{code="' + "ab" * 250 + '{}"}} 1\n'), "TooSlow"),
    "very many labels": (lines(BIG, 'infer_requests_total{{l{}="",code=""}} 1\n'), "TooSlow"),
    "no text": (b"\xff" * BIG, "NotMetrics"),
    "no lines": (b" " * BIG, "ok"),
    "very many bounds": (lines(40_000, 'seconds_bucket{{le="{}"}} 1\n'), "TooLarge"),
    "names that are alike": (lines(BIG, "infer_request_total_of_what_" + "a" * 60 + "{}_total 1\n"), "ok"),
    "a number of a million digits": (b"infer_requests_total " + b"9" * 1_000_000 + b"\n", "TooLarge"),
    "a number of 8000 digits": (b"infer_requests_total " + b"9" * 8000 + b"\n", "UnusableValue"),
    "too large": (b"# x\n" * (5 << 18), "TooLarge"),
}
ANSWERS: dict[str, tuple[bytes, str]] = {
    "1e999": (b'{"boot":"b","next":1e999,"dropped":0,"answers":[]}', "BadAnswer"),
    "digits": (b'{"boot":"b","next":' + b"9" * 100_000 + b',"dropped":0,"answers":[]}', "BadAnswer"),
    "brackets": (b"[" * 10_000 + b"]" * 10_000, "BadAnswer"),
    "nan": (b'{"boot":"b","next":NaN,"dropped":0,"answers":[]}', "BadAnswer"),
    "elements": (b"[" + b"[]," * 700_000 + b"[]]", "BadAnswer"),
    "boot": (b'{"boot":"' + b"b" * 1_000_000 + b'","next":1,"dropped":0,"answers":[]}', "BadAnswer"),
    "time": (b'{"boot":"b","next":1,"dropped":0,"answers":[[1,"r",1e300,200,1,null,false,1]]}', "BadAnswer"),
    "status": (b'{"boot":"b","next":1,"dropped":0,"answers":[[1,"r",1,1e308,1,null,false,1]]}', "BadAnswer"),
    "list": (b'{"boot":"b","next":1,"dropped":0,"answers":{"a":1}}', "BadAnswer"),
    "row": (b'{"boot":"b","next":1,"dropped":0,"answers":[7]}', "BadAnswer"),
}


def counts(said: str = "", tally: str = "", vectors: str = '"feature/a":[1,2]') -> bytes:
    """A page of counts as a recorder writes it, with something else in it: the last one of two members is read."""
    numbers = '"rows":3,"requests":9,"sampled":3,"outliers":0,"unread":{"busy":1},"sums":{"pair/a*b":[1,0,0,1,1,0.5]}'
    page = f'"boot":"b-1","profile":"{"ab" * 32}","problem":"","mark":"0f","since":null,"chance":0.5'
    return f'{{{page}{said},"tally":{{{numbers},"vectors":{{{vectors}}}{tally}}}}}'.encode()


HUGE = "9" * 60
REASONS = ",".join(f'"r{a}{b}":1' for a in "abcdef" for b in "abcdefgh")
COUNTS: dict[str, bytes] = {
    "no object": b"[1]",
    "nothing": b"{}",
    "counts in brackets": b'{"tally":' + b"[" * 200_000 + b"]" * 200_000 + b"}",
    "a boot of a megabyte": counts(f',"boot":"{"b" * 1_000_000}"'),
    "a boot with a line feed": counts(',"boot":"a\\nb"'),
    "another kind of digest": counts(',"profile":"none"'),
    "a problem in words": counts(',"problem":"it is <b>bad</b>"'),
    "a chance above all": counts(',"chance":1.5'),
    "no chance": counts(',"chance":0'),
    "a chance that is true": counts(',"chance":true'),
    "negative": counts(tally=',"rows":-1'),
    "a half": counts(tally=',"rows":1.5'),
    "true": counts(tally=',"requests":true'),
    "a huge count": counts(tally=f',"sampled":{HUGE}'),
    "infinite": counts(tally=',"outliers":1e999'),
    "reasons without end": counts(tally=f',"unread":{{{REASONS}}}'),
    "a reason with spaces": counts(tally=',"unread":{"a b":1}'),
    "a list of vectors": counts(tally=',"vectors":[]'),
    "a negative place": counts(vectors='"feature/a":[1,-2]'),
    "a place that is none": counts(vectors='"feature/a":[1,null]'),
    "a nested vector": counts(vectors='"feature/a":[[1]]'),
    "an empty vector": counts(vectors='"feature/a":[]'),
    "a long vector": counts(vectors=f'"feature/a":[{",".join(["1"] * 500)}]'),
    "a long key": counts(vectors=f'"{"k" * 2000}":[1]'),
    "many vectors": counts(vectors=",".join(f'"feature/{n}":[1]' for n in range(5000))),
    "a million places": counts(vectors=",".join(f'"f/{n}":[{",".join(["1"] * 150)}]' for n in range(5000))),
    "sums that are none": counts(tally=',"sums":{"pair/a*b":[NaN,0,0,0,0,0]}'),
    "sums too few": counts(tally=',"sums":{"pair/a*b":[1]}'),
    "a mark of anything": counts(',"mark":"../../etc"'),
    "since that is none": counts(',"since":{"rows":1}'),
    "more than a page": counts(said=f',"message":"{"m" * (3 << 20)}"'),
}
"""Each is refused by its name."""
WIDE = counts(vectors=",".join(f'"feature/{n}":[{",".join(["123456"] * 37)}]' for n in range(500)))

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
ENDLESS: dict[str, tuple[bytes, bytes, str]] = {
    "headers": (b"HTTP/1.1 200 OK\r\n", b"x: aaaa\r\n" * 10_000, "Unreachable"),
    "go on": (b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 5000, "TooSlow"),
    "chunks of a byte": (CHUNKED, b"1\r\na\r\n" * 10_000, "TooSlow"),
    "answers that nobody has asked for": (
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n#", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n" * 3000, "ok"
    ),
}  # fmt: skip
"""What is sent first, and then again and again; and what it is called."""
MANY = (
    b'{"boot":"b","next":9,"dropped":0,"answers":['
    + b",".join(b'[%d,"r%d",1.5,200,1,"%s",false,1.0]' % (i, i, b"x" * 200) for i in range(1, 8500))
    + b"]}"
)
"""As a recorder writes it, of 2 MB."""


def path(name: str) -> str:
    """Where a page is."""
    return "/" + "-".join(name.split())


def main() -> None:
    """Answer for ever."""
    bodies = {path(name): body for name, (body, _) in (PAGES | ANSWERS).items()}
    bodies |= {
        "/good": GOOD, "/large": GOOD + b"# other\n" * 20_000, "/bomb": gzip.compress(bytes(64 << 20)),
        "/many": MANY, "/counts": counts(), "/wide": WIDE, **{path(name): body for name, body in COUNTS.items()},
        "/fine": b'{"boot":"b","next":1,"dropped":0,"answers":[[1,"r",1.5,200,1,[2],false,1.0]]}',
    }  # fmt: skip

    endless = {path(name): what[:2] for name, what in ENDLESS.items()}

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: Any) -> None:
            """Nothing."""

        def send_for_ever(self, first: bytes, more: bytes) -> None:
            self.close_connection = True
            try:
                self.wfile.write(first)
                while True:
                    self.wfile.write(more)
            except OSError:
                pass  # who asked has heard enough

        def do_GET(self) -> None:
            name = self.path.split("?")[0]
            if name in endless:
                self.send_for_ever(*endless[name])
                return
            body = bodies[name]
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            if name == "/bomb":
                self.send_header("Content-Encoding", "gzip")
            self.end_headers()
            try:
                self.wfile.write(body)
            except OSError:
                self.close_connection = True  # who asked has heard enough

    class Server(ThreadingHTTPServer):
        request_queue_size = 128

    server = Server(("127.0.0.1", 0), Handler)
    print(server.server_port, flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
