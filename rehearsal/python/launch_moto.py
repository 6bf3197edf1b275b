"""Starts moto for one rehearsal, behind the front.

What this file is for: to tie moto's life to the process that started it.
What it must not do: change moto. What moto gets wrong is put right by the front, in Rust.
"""

import os

import parent


def main():
    parent.end_with_parent()
    from moto.server import main as serve

    serve(["-H", "127.0.0.1", "-p", os.environ["RIPCORD_REHEARSAL_PORT"]])


if __name__ == "__main__":
    main()
