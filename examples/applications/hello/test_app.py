import unittest

from app import greeting


class Greeting(unittest.TestCase):
    def test_it_names_whom_it_greets(self) -> None:
        self.assertTrue(greeting("Ada", 3).startswith("Hello Ada, visitor 3"))


if __name__ == "__main__":
    unittest.main()
