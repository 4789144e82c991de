"""merge"""
revision = "0004"
down_revision = ("0002", "0003")
