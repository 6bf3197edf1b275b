"""What must hold of the checkout before anybody is asked to pay through it."""

import unittest
from unittest import mock

import app


class Checkout(unittest.TestCase):
    def test_an_order_is_paid(self):
        self.assertEqual(app.handler({"order": "1"}, None)["status"], "paid")

    def test_a_failed_payment_is_an_error(self):
        with mock.patch.object(app, "ERROR_PERCENT", 100.0), self.assertRaises(app.PaymentFailed):
            app.handler({"order": "1"}, None)


if __name__ == "__main__":
    unittest.main()
