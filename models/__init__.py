"""What is stored: tables, migrations and statements; the only SQL of the main house.

Rules of every table but the global ones: `merchant_id` is in every primary, unique and
foreign key, ids come from the application, and no statement rests on rows of two
merchants together, so that the schema can be distributed by merchant unchanged.
"""
